"""Why a model answers as it does: contributions of features to single answers, by asking its own server."""
