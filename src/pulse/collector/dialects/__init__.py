"""How clients speak: one module each. A dialect reads a request and says what it means (`Meant`)."""
