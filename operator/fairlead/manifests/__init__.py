"""Pure builders of the Kubernetes objects that Fairlead creates: typed in, plain JSON out."""
