-- The journal's own database is made by the image; Prefect searches its runs with trigrams.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;
