import { expect, test } from 'vitest'
import { isWebTool, nameTools } from './tool-names.ts'

const tool = (server: string, name: string, own = false) => ({ server, name, own })

test('of two tools with one name, that of the later server gets its server as prefix', () => {
  const named = nameTools([tool('semantic', 'search'), tool('x', 'search'), tool('x', 'other'), tool('x', 'other')])
  expect([...named].map(([name, { server }]) => [name, server])).toEqual([
    ['search', 'semantic'],
    ['x_search', 'x'],
    ['other', 'x'],
    ['x_other', 'x'],
  ])
})

test('a foreign tool never has the name of a built-in one, also while ours is away', () => {
  expect([...nameTools([tool('x', 'knowledge_search'), tool('x', 'other')]).keys()]).toEqual(['x_knowledge_search', 'other'])
  expect([...nameTools([tool('semantic', 'knowledge_search', true)]).keys()]).toEqual(['knowledge_search'])
})

test('a web tool has a name or a server that begins with web', () => {
  expect(isWebTool(tool('x', 'web_fetch'))).toBe(true)
  expect(isWebTool(tool('web', 'fetch'))).toBe(true)
  expect(isWebTool(tool('x', 'cobweb'))).toBe(false)
})
