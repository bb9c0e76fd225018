// A client that is made from the description of a service. It logs in, calls the service by its name there, and ends its tokens. It reads
// { address, description, tag, operation, inputs, username, password } from its standard input, and prints what the service has answered,
// and what a call is told after the end of the tokens.
import { text } from 'node:stream/consumers';
import SwaggerClient from 'swagger-client';

const { address, description, tag, operation, inputs, username, password } = JSON.parse(await text(process.stdin));
const client = (authorizations) => new SwaggerClient({ spec: structuredClone(description), url: address, authorizations });

const stranger = await client({});
const { body: tokens } = await stranger.apis.User.login({ loginRequest: { username, password } });
const { body: renewed } = await stranger.apis.User.renewAccessToken({ renewTokenRequest: { refreshToken: tokens.refresh_token } });
const user = await client({ Bearer: `${renewed.token_type} ${renewed.access_token}` });
const call = () => user.apis[tag][operation]({ WebServiceParameters: inputs });
const { status, body } = await call();
await stranger.apis.User.revokeRefreshToken({ refreshToken: renewed.refresh_token });
const refused = await call().catch((error) => ({ status: error.status, body: error.response?.body }));
console.log(JSON.stringify({ status, body, refused: { status: refused.status, body: refused.body } }));
