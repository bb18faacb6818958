/**
 * A certified provider of OpenID Connect for tests, on a free port of this machine; tests/oidc_provider.py runs it. Its one
 * argument is JSON: the metadata of its clients, and its keys. The first line that it prints is its issuer. Who signs in says who they
 * are: the form asks for a name, and for the claims as JSON. It ends with its standard input.
 */

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const { clients, jwks } = JSON.parse(process.argv[2]);
/** Claims by name, as they were told at the last sign-in. */
const people = new Map();

const form = (uid) => `<!doctype html><html lang="en"><title>Provider</title><main><h1>Provider</h1>
<form method="post" action="/interaction/${uid}"><label>Name <input name="name" required></label>
<label>Claims <input name="claims" value="{}"></label><button>Continue</button></form></main></html>`;

const logoutForm = (given) => `<!doctype html><html lang="en"><title>Provider</title><main><h1>Provider</h1>${given}
<button type="submit" form="op.logoutForm" name="logout" value="yes">Leave</button></main></html>`;

async function body(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return new URLSearchParams(Buffer.concat(pieces).toString());
}

async function consent(ctx) {
  const { client, account } = ctx.oidc;
  const { provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: account.accountId });
  grant.addOIDCScope("openid profile email groups");
  await grant.save();
  return grant;
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username"],
      email: ["email", "email_verified"],
      groups: ["groups"],
    },
    cookies: { keys: ["a key of tests alone"] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, given) => {
          ctx.body = logoutForm(given);
        },
      },
    },
    // Its own guard would keep it from telling a platform on this machine who has left.
    fetch: (address, { dispatcher: _, ...options }) => fetch(address, options),
    findAccount: (_ctx, name) => ({ accountId: name, claims: () => ({ sub: name, ...people.get(name) }) }),
    jwks,
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    loadExistingGrant: consent,
  });
  const handle = provider.callback();
  server.on("request", async (request, response) => {
    const [, uid] = /^\/interaction\/([\w-]+)$/.exec(request.url) ?? [];
    if (!uid) return handle(request, response);
    if (request.method === "GET") {
      return response.setHeader("content-type", "text/html; charset=utf-8").end(form(uid));
    }
    const said = await body(request);
    if (said.get("name") === "nobody") {
      return provider.interactionFinished(request, response, { error: "access_denied" });
    }
    people.set(said.get("name"), JSON.parse(said.get("claims")));
    return provider.interactionFinished(request, response, { login: { accountId: said.get("name") } });
  });
  console.log(issuer);
});

process.stdin.on("end", () => process.exit(0)).resume();
