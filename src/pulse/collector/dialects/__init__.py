"""How clients speak: one module each. A dialect says what a request means (`Meant`)."""
