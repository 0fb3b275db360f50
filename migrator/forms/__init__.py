"""Form submissions: what visitors sent through a site's forms, out of its database and into another, or onto a sheet."""
