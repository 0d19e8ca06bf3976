/**
 * The baseline `limit`: bare HTTPS requests. Its time is the lower bound for a provider. `baseline-process.ts` calls
 * it.
 */
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { Lookups } from '../src/azure/http/lookups.ts';
import { type Reader, TENANT } from './world.ts';

const SOCKETS = 50;

/**
 * Returns a reader that requests metadata and a token, and then all objects in parallel, without SDK and without
 * checks.
 */
export const readDirectly: Reader = ({ caPem, authorityHost, vaultUrl }) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: SOCKETS, ca: caPem, lookup: new Lookups().lookup });
  const ask = (url: string, { headers, body }: { headers?: Record<string, string>; body?: string } = {}) =>
    new Promise<Record<string, unknown>>((settle, reject) => {
      const request = https.request(
        url,
        { agent, method: body === undefined ? 'GET' : 'POST', headers },
        (response) => {
          text(response).then((answer) => {
            if (response.statusCode === 200) settle(JSON.parse(answer) as Record<string, unknown>);
            else reject(new Error(`${url} responded with ${response.statusCode}`));
          }, reject);
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  return async ({ clientId, clientSecret, objects }) => {
    const metadata = await ask(`${authorityHost}${TENANT}/v2.0/.well-known/openid-configuration`);
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${new URL(vaultUrl).origin.replace(/\/\/[^.]+\./, '//')}/.default`,
    });
    const { access_token: token } = await ask(String(metadata.token_endpoint), {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    });
    const headers = { authorization: `Bearer ${String(token)}` };
    await Promise.all(objects.map(({ name }) => ask(`${vaultUrl}/secrets/${name}?api-version=7.4`, { headers })));
  };
};
