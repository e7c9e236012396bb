"""`weir import litellm-db`, out of a database that LiteLLM's own migrations made."""

import hashlib
import json
import os
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from database import Database, binaries
from gateway import upstream
from upstream import KEY
from weir_process import BINARY, PLUGINS, free_port, start, stop, wait_for

TOKEN = "admin-token-of-a-test"


def hashed(key: str) -> str:
    """How LiteLLM stores keys (`hash_token` in its proxy)."""
    return hashlib.sha256(key.encode()).hexdigest()


@unittest.skipUnless(binaries(), "PostgreSQL is not installed, so nothing is shown")
class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.database = Database()
        cls.addClassCleanup(cls.database.stop)
        cls.database.migrate()
        fill(cls.database)
        cls.folder = tempfile.TemporaryDirectory(prefix="weir-import-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.address = f"http://127.0.0.1:{(port := free_port())}"
        cls.config = Path(cls.folder.name, "weir.toml")
        cls.config.write_text(configuration(port))
        log = Path(cls.folder.name, "log")
        process = start(cls.config, log, {"UPSTREAM_KEY": KEY})
        cls.addClassCleanup(stop, process)
        wait_for(cls.address, process, log)

    def run_import(self, *words: str) -> str:
        command = [BINARY, "import", "litellm-db", "--config", str(self.config), *words]
        done = subprocess.run(command, env=os.environ | {"DATABASE_URL": self.database.url, "UPSTREAM_KEY": KEY}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("sk-red", done.stdout + done.stderr)
        return done.stdout

    def test_keys_keep_working_with_their_teams_and_budgets(self):
        dry = self.run_import("--dry-run")
        self.assertIn("organisations: 1 would be made\nteams: 2 would be made\nusers: 1 would be made\nkeys: 6 would be made\n", dry)
        self.assertEqual(self.get("/admin/v1/keys")["items"], [])

        first = self.run_import()
        self.assertIn("keys: 6 made, 0 known already, 0 refused\nkeys in the grace of a rotation: 1 made", first)
        for lost in ["the key spent key had spent its budget", "the customer shop was blocked", "the model gpt-x is in the database only"]:
            self.assertIn(lost, first)
        self.assertIn('for = { tag = "user:ann" }\nusd = 20\nper = "week"', first)
        self.assertIn('for = { tag = "member:red:ann" }\nusd = 3\nper = "day"', first)
        self.assertIn('for = { tag = "project:site" }\nusd = 3\nper = "day"', first)
        again = self.run_import()
        self.assertIn("teams: 0 made, 2 known already, 0 refused", again)
        self.assertIn("keys: 0 made, 6 known already, 0 refused", again)

        self.assertEqual(self.ask("sk-red", "openai-text"), 200)
        self.assertEqual(self.ask("sk-red-before", "openai-text"), 200, "the grace of a rotation goes on")
        self.assertEqual(self.ask("sk-red", "openai-tools"), 403, "the key's models are a restriction still")
        self.assertEqual(self.ask("sk-ann", "openai-text"), 200)
        self.assertEqual((self.ask("sk-site", "openai-text"), self.ask("sk-site", "openai-tools")), (200, 403), "a project's models are a restriction")
        self.assertEqual(self.ask("sk-spent", "openai-text"), 403, "what was spent does not come back")
        for refused, code in {"sk-blocked": 401, "sk-of-blue": 403, "sk-unknown": 401, "sk-expired": 401}.items():
            self.assertEqual(self.ask(refused, "openai-text"), code, refused)

        key = next(key for key in self.get("/admin/v1/keys")["items"] if key["name"] == "red key")
        self.assertEqual(key["owner"], {"team": "red"})
        self.assertEqual(key["limits"], {"requests_per_minute": 1000})
        self.assertEqual(key["budgets"], [{"name": "max", "usd": "12.5", "per": "month", "when_over": "refuse", "unpriced": "refuse"}])
        self.assertEqual(key["tags"], ["ci"])
        self.assertNotIn("hash", key)
        team = self.get("/admin/v1/teams/red")
        self.assertEqual((team["organisation"], team["aliases"]), ("acme", {"usual": "openai-text"}))
        self.assertEqual(self.ask("sk-ann", "openai-text"), 200)
        events = [entry["event"] for entry in self.get("/admin/v1/audit?limit=1000")["items"]]
        self.assertEqual(sum(event["action"] == "import" for event in events), 7)

    def test_a_wrong_database_is_named(self):
        command = [BINARY, "import", "litellm-db", "--dry-run", "--database", self.database.url + "&options=-csearch_path%3Dpg_catalog"]
        url = self.database.url.replace("schema=public", "schema=elsewhere")
        command[-1] = url
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is it LiteLLM's?", done.stderr)

    def ask(self, key: str, model: str) -> int:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).encode()
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        return status(urllib.request.Request(f"{self.address}/v1/chat/completions", body, headers))

    def get(self, path: str):
        request = urllib.request.Request(self.address + path, headers={"authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


def status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def fill(database: Database):
    """What a small company has: an organisation, two teams, a user, and keys of several kinds."""
    by = {"created_by": "admin", "updated_by": "admin"}
    database.insert("LiteLLM_BudgetTable", budget_id="acme-budget", max_budget=500, budget_duration="1mo", **by)
    database.insert("LiteLLM_OrganizationTable", organization_id="acme", organization_alias="Acme", budget_id="acme-budget", models=[], **by)
    database.insert("LiteLLM_ModelTable", id=7, aliases={"usual": "openai-text"}, **by)
    database.insert("LiteLLM_TeamTable", team_id="red", team_alias="Red", organization_id="acme", models=[], max_budget=100, budget_duration="7d", model_id=7)
    database.insert("LiteLLM_TeamTable", team_id="blue", team_alias="Blue", models=[], blocked=True)
    database.insert("LiteLLM_UserTable", user_id="ann", user_email="ann@example.com", max_budget=20, budget_duration="7d", models=[])
    database.insert("LiteLLM_BudgetTable", budget_id="of-members", max_budget=3, budget_duration="1d", **by)
    database.insert("LiteLLM_TeamMembership", user_id="ann", team_id="red", spend=1, budget_id="of-members")
    token = "LiteLLM_VerificationToken"
    database.insert(token, token=hashed("sk-red"), key_alias="red key", team_id="red", models=["openai-text", "usual"], rpm_limit=1000,
                    max_budget=12.5, budget_duration="30d", metadata={"tags": ["ci"], "logging": [{"secret": "x"}]})
    database.insert(token, token=hashed("sk-ann"), key_alias="ann's", user_id="ann", models=[])
    database.insert(token, token=hashed("sk-blocked"), key_alias="off", models=[], blocked=True)
    database.insert(token, token=hashed("sk-of-blue"), key_alias="blue key", team_id="blue", models=[])
    database.insert(token, token=hashed("sk-expired"), key_alias="old", models=[], expires="2020-01-01T00:00:00")
    database.insert("LiteLLM_ProjectTable", project_id="site", team_id="red", models=["openai-text"], spend=1, budget_id="of-members", **by)
    database.insert(token, token=hashed("sk-site"), key_alias="site key", team_id="red", project_id="site", models=[])
    database.insert(token, token=hashed("sk-spent"), key_alias="spent key", models=[], max_budget=5, spend=5)
    database.insert("LiteLLM_EndUserTable", user_id="shop", blocked=True)
    database.insert("LiteLLM_ProxyModelTable", model_id="1", model_name="gpt-x", litellm_params={"model": "openai/gpt-x"}, **by)
    database.insert(token, token=hashed("sk-login"), key_alias="session", team_id="litellm-dashboard", models=[])
    database.insert("LiteLLM_DeprecatedVerificationToken", id="1", token=hashed("sk-red-before"), active_token_id=hashed("sk-red"), revoke_at="2100-01-01T00:00:00")


def configuration(port: int) -> str:
    return f"""
log_level = "warn"
[server]
host = "127.0.0.1"
port = {port}
[admin]
token = "{TOKEN}"
[plugins]
dir = "{PLUGINS}"
[[providers]]
name = "openai"
adapter = "openai"
url = "{upstream().url}/v1/"
api_key = "env:UPSTREAM_KEY"
[[models]]
alias = "openai-text"
target = {{ provider = "openai", model = "plain" }}
price = {{ input = 1, output = 2 }}
[[models]]
alias = "openai-tools"
target = {{ provider = "openai", model = "plain" }}
price = {{ input = 1, output = 2 }}
"""
