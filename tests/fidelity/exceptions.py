"""The cells that may differ, each with its reason (exceptions.toml)."""

from data import table


class Exceptions:
    """Looks exceptions up, and records which were needed."""

    def __init__(self):
        self.listed = table("exceptions.toml").get("exceptions", [])
        self.used: set[int] = set()

    def reason(self, id: str, dialect: str, lane: str) -> str | None:
        for at, it in enumerate(self.listed):
            dialects, lanes = it.get("dialects", ["*"]), it.get("lanes", ["*"])
            if id in it["ids"] and ("*" in dialects or dialect in dialects) and ("*" in lanes or lane in lanes):
                self.used.add(at)
                return it["reason"]
        return None

    def idle(self) -> list[dict]:
        """The exceptions that were not needed: the list must be exact."""
        return [it for at, it in enumerate(self.listed) if at not in self.used]
