"""MLflow's own server in one process, `python -m flows.serving.mlflow_app`: no job runners.

The `mlflow server` command keeps a parent of 150 MB that only waits for its child. What that parent
hands to the child in the environment is set here. Where others can reach it, a password is asked.
"""

from __future__ import annotations

import os

# MLflow looks for uvicorn among the loaded modules to know that it is a server.
import uvicorn

from flows.serving.password import locked
from flows.settings.settings import Settings, load_settings

_ARTIFACTS = "mlflow-artifacts:/"


def main() -> None:
    """Serve the history and the models that the settings name, until SIGTERM or SIGINT."""
    settings = load_settings()
    servers = settings.servers
    os.environ.update(_environment(settings))
    # After the environment is set, which MLflow reads as it is imported: four seconds.
    from mlflow.server.fastapi_app import app  # noqa: PLC0415
    from mlflow.server.handlers import initialize_backend_stores  # noqa: PLC0415

    initialize_backend_stores(settings.tracking_uri, settings.tracking_uri, _ARTIFACTS)
    name = servers.auth_variable
    served = app if name is None else locked(app, settings.secret(name))
    uvicorn.run(served, host=servers.host, port=servers.mlflow_port, log_level="warning")


def _environment(settings: Settings) -> dict[str, str]:
    """Return what MLflow's command sets for its child, by the names in mlflow.server.constants."""
    stores = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 1 process instead of 10
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "_MLFLOW_SERVER_FILE_STORE": settings.tracking_uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": settings.tracking_uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": _ARTIFACTS,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(settings.home_folder / "mlartifacts"),
    }
    names = settings.servers.names
    if not names:  # MLflow answers to this machine's own names, and to no other page's scripts
        return stores
    at = [f"{name}:{settings.servers.mlflow_port}" for name in names]
    return stores | {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(["localhost:*", "127.0.0.1:*", *at]),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{each}" for each in at),
    }


if __name__ == "__main__":
    main()
