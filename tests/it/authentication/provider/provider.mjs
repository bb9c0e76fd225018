// A provider of OpenID Connect for the tests: on a free port of loopback. It prints its address, and then reads that of its client's callback,
// as the client cannot start before it knows the provider. It ends when its standard input does.
//
// Everybody who logs in by its form is who they say, and has the groups that the first argument gives to them (JSON).
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const groups = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);
const input = createInterface({ input: process.stdin });
const callback = await new Promise((read) => input.once('line', read));
input.once('close', () => process.exit());

const claims = (id) => ({ sub: id, preferred_username: `${id}@example.org`, name: `The ${id}`, groups: groups[id] ?? [] });
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'offshoot',
    client_secret: 'a secret of the tests',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'client_credentials'],
    response_types: ['code'],
  }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], profile: ['preferred_username', 'name', 'groups'] },
  // Otherwise they are told only to those who ask for them with the access token.
  conformIdTokenClaims: false,
  findAccount: (context, id) => ({ accountId: id, claims: () => claims(id) }),
  extraTokenClaims: (context, token) => {
    const { sub, ...others } = claims(token.accountId ?? 'program');
    return others;
  },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    // An access token for a resource is a JWT that names it.
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://r.example.org/api',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'api', audience: 'https://r.example.org/api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  cookies: { keys: ['of the tests'] },
  ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, Session: 600, Grant: 600, Interaction: 600 },
});
server.on('request', provider.callback());
console.log('ready');
