"""The stages that an alert passes on its way out: what each of them decides, by itself. Pure."""
