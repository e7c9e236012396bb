// A certified identity provider for tests: `node provider.mjs PORT [REDIRECT_URI]`. Everyone is logged in as `ada`, and its keys
// are new at each start.
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.OIDC_PROVIDER_FOLDER, "package.json"));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const port = Number(process.argv[2]);
const redirect = process.argv[3] ?? "https://weir.example/admin/callback";
const issuer = `http://127.0.0.1:${port}`;
const key = (type, options) => generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
const keys = [
  { ...key("rsa", { modulusLength: 2048 }), use: "sig", alg: "RS256" },
  { ...key("ec", { namedCurve: "P-256" }), use: "sig", alg: "ES256" },
];

const provider = new Provider(issuer, {
  jwks: { keys },
  cookies: { keys: ["only for tests"] },
  clients: [
    {
      client_id: "weir",
      client_secret: "a secret: with & signs",
      redirect_uris: [redirect],
      grant_types: ["authorization_code", "client_credentials"],
      id_token_signed_response_alg: "ES256",
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ["sub", "groups"], email: ["email"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: "ada@example.org", groups: ["weir-red"] }) }),
  extraTokenClaims: () => ({ groups: ["weir-red"] }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: "models",
        audience: "weir",
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});

const answer = provider.callback();
http
  .createServer(async (request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    const { prompt, params } = await provider.interactionDetails(request, response);
    const grant = new provider.Grant({ accountId: "ada", clientId: params.client_id });
    grant.addOIDCScope("openid email");
    const result =
      prompt.name === "login" ? { login: { accountId: "ada" } } : { consent: { grantId: await grant.save() } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  })
  .listen(port, "127.0.0.1", () => console.log("ready"));
