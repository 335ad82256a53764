"""How early and how surely pulse tells who leaves."""
