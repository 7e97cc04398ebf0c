"""sfnb keeps a Salesforce org safe without eating its API allowance."""

__version__ = "0.1.0"
