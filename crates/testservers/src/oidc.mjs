// An OpenID provider that gives programs access tokens: node oidc.mjs DIR PORT AUDIENCE. DIR is where npm installed it.
const [dir, port, audience] = process.argv.slice(2);
const from = (name) => import(`${dir}/node_modules/${name}`);
const { default: Provider } = await from('oidc-provider/lib/index.js');
const { exportJWK, generateKeyPair } = await from('jose/dist/node/esm/index.js');

const keys = [];
for (const [alg, options] of [['RS256', {}], ['ES256', {}], ['EdDSA', { crv: 'Ed25519' }]]) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
  keys.push({ ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `key-${alg}` });
}

const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [{ client_id: 'console', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [],
    response_types: [] }],
  extraTokenClaims: async () => ({ realm_access: { roles: ['auditor', 'service'] } }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // What is asked for says by which algorithm it is signed: urn:food:ES256.
      getResourceServerInfo: async (_, resource) => ({
        scope: 'orders.read',
        audience,
        accessTokenTTL: 300,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: resource.split(':').pop() } },
      }),
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
