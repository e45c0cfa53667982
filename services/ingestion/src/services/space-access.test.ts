import { AppError } from '@youworker/contracts/errors'
import { expect, test } from 'vitest'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { SpaceAccess } from './space-access.ts'

const context = testUserContext('u')

test('spaces are asked for once, and again after news', async () => {
  let asked = 0
  const access = new SpaceAccess(async () => [`g${(asked += 1)}`])
  expect((await access.of(context)).ids).toEqual(['u', 'g1'])
  expect((await access.of(context)).ids).toEqual(['u', 'g1'])
  access.dropUser('u')
  expect((await access.of(context)).ids).toEqual(['u', 'g2'])
  access.dropSpace('g2')
  expect((await access.of(context)).ids).toEqual(['u', 'g3'])
})

test('an answer that news has overtaken is not kept', async () => {
  const answers = [['g'], []]
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  const access = new SpaceAccess(async () => {
    asked.resolve()
    await answer.promise
    return answers.shift() ?? []
  })
  const first = access.of(context)
  await asked.promise
  access.dropUser('u')
  answer.resolve()
  await first
  expect((await access.of(context)).ids).toEqual(['u'])
})

test('without groups only the own space is known, and that says nothing about others', async () => {
  const access = new SpaceAccess(() => Promise.reject(new AppError('SERVICE_UNAVAILABLE', 'away')))
  expect(await access.of(context)).toEqual({ ids: ['u'], complete: false })
  await expect(access.require(context, 'u')).resolves.toBeDefined()
  await expect(access.require(context, 'g')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  const refused = new SpaceAccess(() => Promise.reject(new AppError('NOT_AUTHENTICATED', 'no')))
  await expect(refused.of(context)).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
})
