// A real OpenID Connect provider for tests: oidc-provider with its own log-in page, on which any name is someone and no password
// is asked for twice. usage: provider.mjs REDIRECT-URI…; prints its issuer when it answers, and ends with its standard input.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const PEOPLE = {
  // An address that the provider has not verified.
  unverified: (sub) => ({ sub, email: `${sub}@corp.example`, email_verified: false }),
}
const person = (sub) => ({
  sub,
  preferred_username: sub,
  name: `${sub[0].toUpperCase()}${sub.slice(1)} of Corp`,
  email: `${sub}@corp.example`,
  email_verified: true,
})

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const client = { grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: process.argv.slice(2) }
const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: 'natter', client_secret: 'a secret: of 100 %' },
    { ...client, client_id: 'natter-public', token_endpoint_auth_method: 'none' },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
  cookies: { keys: ['of tests'] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => (PEOPLE[sub] ?? person)(sub) }),
})
server.on('request', provider.callback())
process.stdin.on('end', () => process.exit()).resume()
console.log(issuer)
