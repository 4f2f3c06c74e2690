"""What follows when a watch speaks against the live version: it is asked, or the way back is gone."""
