import { AppError } from '@youworker/contracts/errors'
import { expect, test } from 'vitest'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { type ListSpaces, SpaceAccess } from './space-access.ts'

const context = testUserContext('u')
const accessTo = (list: ListSpaces) => new SpaceAccess(list, async () => [])

test('spaces are requested once, and again after a membership event', async () => {
  let asked = 0
  const access = accessTo(async () => [`g${(asked += 1)}`])
  expect((await access.of(context)).ids).toEqual(['u', 'g1'])
  expect((await access.of(context)).ids).toEqual(['u', 'g1'])
  access.dropUser('u')
  expect((await access.of(context)).ids).toEqual(['u', 'g2'])
  access.dropSpace('g2')
  expect((await access.of(context)).ids).toEqual(['u', 'g3'])
})

test('a group whose event is still on its way is found', async () => {
  const groups: string[] = []
  const access = accessTo(async () => [...groups])
  await access.of(context)
  groups.push('g')
  expect((await access.of(context)).ids).toEqual(['u'])
  expect((await access.require(context, 'g')).ids).toEqual(['u', 'g'])
  await expect(access.require(context, 'h')).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
})

test('a reply is not kept when a membership event came before it', async () => {
  const answers = [['g'], []]
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  const access = accessTo(async () => {
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

test('while groups are away the own space works, and a group is refused as unavailable, not as unknown', async () => {
  const access = accessTo(() => Promise.reject(new AppError('SERVICE_UNAVAILABLE', 'away')))
  expect(await access.of(context)).toEqual({ ids: ['u'], complete: false })
  await expect(access.require(context, 'u')).resolves.toBeDefined()
  await expect(access.require(context, 'g')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  const refused = accessTo(() => Promise.reject(new AppError('NOT_AUTHENTICATED', 'no')))
  await expect(refused.of(context)).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
})
