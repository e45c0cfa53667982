import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, createLocalJWKSet, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { TokenSigner } from './token-signer.ts'

const newPem = (modulusLength = 2048) =>
  generateKeyPairSync('rsa', {
    modulusLength,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey
const [pem, olderPem] = [newPem(), newPem()]
const subject = { user_id: '0199e000-0000-7000-8000-000000000001', sid: '0199e000-0000-7000-8000-000000000002', is_root: false }

test('an access token has user, session, audience and expiry', async () => {
  const signer = await TokenSigner.create(pem)
  const { token, expires_at } = await signer.signApi(subject)
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [...signer.keys] }))
  expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: await calculateJwkThumbprint(signer.keys[0] ?? {}) })
  const { iat = 0, exp = 0, jti, ...claims } = payload
  expect(claims).toEqual({ iss: 'youworker', aud: 'api', sub: subject.user_id, sid: subject.sid, root: false, scopes: ['*'] })
  expect(jti).toBeTruthy()
  expect(exp - iat).toBe(600)
  expect(Date.parse(expires_at)).toBe(exp * 1000)
})

test('a run token has an actor and lives for 5 minutes, but never longer than its grant', async () => {
  const signer = await TokenSigner.create(pem)
  const keys = createLocalJWKSet({ keys: [...signer.keys] })
  const { payload } = await jwtVerify((await signer.signRun(subject)).token, keys)
  expect(payload).toMatchObject({ aud: 'run', act: { sub: 'chat-agent' } })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300)
  const soon = Math.floor(Date.now() / 1000) + 60
  const short = await signer.signRun({ ...subject, not_after: new Date(soon * 1000).toISOString() })
  expect((await jwtVerify(short.token, keys)).payload.exp).toBe(soon)
})

test('only public parts are published, with those of earlier keys', async () => {
  const before = await TokenSigner.create(olderPem)
  const signer = await TokenSigner.create(`${pem}${olderPem}`)
  expect(signer.keys.map((key) => Object.keys(key).sort())).toEqual(Array(2).fill(['alg', 'e', 'kid', 'kty', 'n', 'use']))
  const { token } = await before.signApi(subject)
  await expect(jwtVerify(token, createLocalJWKSet({ keys: [...signer.keys] }))).resolves.toBeDefined()
})

test('a key can be PEM, PEM on one line or base64; a short or missing one is refused', async () => {
  const [kid] = (await TokenSigner.create(pem)).keys.map((key) => key.kid)
  for (const form of [pem.replaceAll('\n', '\\n'), Buffer.from(pem).toString('base64')]) {
    expect((await TokenSigner.create(form)).keys[0]?.kid).toBe(kid)
  }
  await expect(TokenSigner.create(newPem(1024))).rejects.toThrow('2048')
  await expect(TokenSigner.create('nonsense')).rejects.toThrow('SECURITY__JWT_PRIVATE_KEY')
})
