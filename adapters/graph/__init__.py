"""Mail through Microsoft Graph."""
