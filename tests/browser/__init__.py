"""The dashboard in a browser. It is a package, so that what its files share ends with the last of them."""
