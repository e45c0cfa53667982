import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FairQueue } from './fair-queue.ts'

/** Enters calls named `<user><n>` and notes in which order they begin. */
function queueOf(limit: number) {
  const queue = new FairQueue(limit)
  const begun: string[] = []
  const told = new Map<string, (number | undefined)[]>()
  const enter = (name: string, signal = new AbortController().signal, onTold = () => {}) => {
    const positions: (number | undefined)[] = []
    told.set(name, positions)
    const onQueued = (position: number | undefined) => {
      positions.push(position)
      onTold()
    }
    const user = name.replace(/\d+/, '')
    return queue.enter({ user, signal, isBackground: user === 'background', onQueued }).then(() => void begun.push(name))
  }
  const drain = async () => {
    for (await turn(); !queue.isIdle; await turn()) queue.leave()
  }
  return { queue, begun, told, enter, drain }
}

test('users take turns, however many calls one of them has', async () => {
  const { enter, begun, drain, told } = queueOf(1)
  const all = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2'].map((name) => enter(name))
  await drain()
  await Promise.all(all)
  expect(begun).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  expect(told.get('a1')).toEqual([])
  expect(told.get('b1')).toEqual([0, undefined])
  expect(told.get('a4')).toEqual([2, 1, 0, undefined])
})

test('who waited while idle gets nothing for it: a user who comes late has one turn, not all that went before', async () => {
  const { enter, begun, drain, queue } = queueOf(1)
  const first = ['a1', 'a2', 'a3'].map((name) => enter(name))
  await turn()
  queue.leave()
  await turn()
  const late = ['b1', 'b2', 'b3'].map((name) => enter(name))
  await drain()
  await Promise.all([...first, ...late])
  expect(begun.slice(0, 2)).toEqual(['a1', 'a2'])
  expect(begun.slice(2, 4).toSorted()).toEqual(['a3', 'b1'])
})

test('what nobody waits for goes behind all for which somebody does, and moves nobody back', async () => {
  const { enter, begun, drain, told } = queueOf(1)
  const all = ['background1', 'a1', 'background2', 'a2', 'b1'].map((name) => enter(name))
  await drain()
  await Promise.all(all)
  expect(begun).toEqual(['background1', 'a1', 'b1', 'a2', 'background2'])
  expect(told.get('b1')).toEqual([1, 0, undefined])
})

test('as many run at the same time as the limit says, also when it changes', async () => {
  const { enter, begun, drain, queue } = queueOf(2)
  const all = ['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => enter(name))
  await turn()
  expect(begun).toEqual(['a1', 'a2'])
  queue.limit = 4
  await turn()
  expect(begun).toEqual(['a1', 'a2', 'a3', 'a4'])
  queue.limit = 1
  queue.leave()
  await turn()
  expect(begun).toHaveLength(4)
  await drain()
  await Promise.all(all)
})

test('a call that is stopped leaves the queue, and so does one that can no longer be told', async () => {
  const { enter, begun, told, drain } = queueOf(1)
  const stop = new AbortController()
  const running = enter('a1')
  const stopped = enter('a2', stop.signal)
  const broken = enter('a3', undefined, () => {
    if (told.get('a3')?.includes(0)) throw new Error('its log is lost')
  })
  const last = enter('b1')
  stop.abort(new Error('stopped'))
  await expect(stopped).rejects.toThrow('stopped')
  await Promise.all([drain(), expect(broken).rejects.toThrow('its log is lost')])
  await Promise.all([running, last])
  expect(begun).toEqual(['a1', 'b1'])
})

test('when a server is no longer used, those that wait for it may go elsewhere', async () => {
  const { enter, queue } = queueOf(1)
  await enter('a1')
  const waiting = enter('b1')
  queue.close()
  await expect(waiting).rejects.toMatchObject({ failure: 'away' })
  queue.leave()
  expect(queue.isIdle).toBe(true)
})
