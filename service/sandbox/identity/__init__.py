"""The sandbox's identity provider: consent, tokens and errors as Google, Microsoft or a strict provider has them."""
