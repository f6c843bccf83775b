"""Claims about every part, and about whole processes; a package, because a dependency installs another."""
