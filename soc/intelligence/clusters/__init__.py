"""Groups of users that are alike, if there are any."""
