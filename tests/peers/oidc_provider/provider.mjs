// A real OpenID provider for tests: any name and password log in, and the name becomes `sub` and `email`.
// PKCE is required, refresh tokens rotate, and a used one revokes its family.
// Environment: PORT; REDIRECT_URIS, space-separated; ACCESS_TTL, the seconds an access token lives; CLIENT_PROOF, the
// one way in which mailport may authenticate.
import http from 'node:http';
import { Provider } from 'oidc-provider';

const port = Number(process.env.PORT);
const client = (client_id, client_secret, extra) => ({
  client_id, client_secret, token_endpoint_auth_method: 'client_secret_post',
  redirect_uris: [], grant_types: [], response_types: [], ...extra,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client('mailport', 'mailport-secret', {
      redirect_uris: process.env.REDIRECT_URIS.split(' '),
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: process.env.CLIENT_PROOF,
    }),
    client('dovecot', 'dovecot-secret'),
  ],
  cookies: { keys: ['test'] },
  scopes: ['openid', 'offline_access', 'email', 'https://mail.example.test/'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false, // the id_token says who consented, so that nobody need ask userinfo
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: {
    AccessToken: Number(process.env.ACCESS_TTL ?? 60), RefreshToken: 3600, AuthorizationCode: 60,
    IdToken: 600, Interaction: 600, Session: 3600, Grant: 3600,
  },
  features: {
    devInteractions: { enabled: true }, // a real login form and a real consent form
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  findAccount: async (_ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: id, email_verified: true }),
  }),
});

// oidc-provider takes a secret in the header and in the body alike, whatever the client is registered for; others do not.
provider.use(async (ctx, next) => {
  const wanted = process.env.CLIENT_PROOF === 'client_secret_basic';
  const given = ctx.headers.authorization !== undefined;
  if (!['/token', '/token/revocation'].includes(ctx.path) || given === wanted) return next();
  ctx.status = 401;
  ctx.body = { error: 'invalid_client', error_description: 'client authentication failed' };
});

http.createServer(provider.callback()).listen(port, '127.0.0.1', () => console.log('listening'));
