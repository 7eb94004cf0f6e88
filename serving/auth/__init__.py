"""Who may ask what: tokens, their scopes, the scope of every route, and the gate that compares them."""
