"""Platform: register a plan, get a running application. Solum's API and the CAMP standard, over one core."""
