"""Guest programs: C sources, their builders and the built modules. `programs.catalogue` names them."""
