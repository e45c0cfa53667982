import { expect, test } from 'vitest'
import { hashPassword, verifyPassword } from './password.ts'

test('a password verifies against its own hash only', async () => {
  const phc = await hashPassword('correct horse battery')
  expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(phc).not.toBe(await hashPassword('correct horse battery'))
  expect(await verifyPassword(phc, 'correct horse battery')).toBe(true)
  expect(await verifyPassword(phc, 'correct horse batterz')).toBe(false)
  expect(await verifyPassword(phc, '')).toBe(false)
})

test('an unknown user matches no password', async () => {
  expect(await verifyPassword(null, '')).toBe(false)
  expect(await verifyPassword(null, 'correct horse battery')).toBe(false)
})

test('the cost is read from the stored hash, so that it can be raised later', async () => {
  const { argon2Sync } = await import('node:crypto')
  const salt = Buffer.from('somesaltsomesalt')
  const tag = argon2Sync('argon2id', { message: 'password', nonce: salt, memory: 64, passes: 1, parallelism: 1, tagLength: 24 })
  const bare = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  expect(await verifyPassword(`$argon2id$v=19$m=64,t=1,p=1$${bare(salt)}$${bare(tag)}`, 'password')).toBe(true)
})

test('composed and decomposed letters match the same password', async () => {
  expect(await verifyPassword(await hashPassword('pass\u00e9word'), 'passe\u0301word')).toBe(true)
})
