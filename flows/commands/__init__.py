"""One file of commands for each thing a person does; each loads only what it needs."""
