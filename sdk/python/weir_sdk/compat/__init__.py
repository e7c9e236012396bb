"""The base for OpenAI-compatible providers: a provider is its `Quirks` and little else.

    from weir_sdk.compat import Provider, Quirks

    Provider(Quirks(name="zeta", description="Zeta", url="https://api.zeta.example/v1/")).export(__name__)
"""

from .provider import Provider
from .quirks import Quirks

__all__ = ["Provider", "Quirks"]
