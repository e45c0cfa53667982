import { expect, test } from 'vitest'
import { isWebTool, nameTools } from './tool-names.ts'

const tool = (server: string, name: string) => ({ server, name })

test('a clash is resolved by the name of the server; the earlier server keeps the plain name', () => {
  const named = nameTools([tool('semantic', 'search'), tool('x', 'search'), tool('x', 'other'), tool('x', 'other')])
  expect([...named].map(([name, { server }]) => [name, server])).toEqual([
    ['search', 'semantic'],
    ['x_search', 'x'],
    ['other', 'x'],
    ['x_other', 'x'],
  ])
})

test('disable_web takes away what begins with web', () => {
  expect(isWebTool(tool('x', 'web_fetch'))).toBe(true)
  expect(isWebTool(tool('web', 'fetch'))).toBe(true)
  expect(isWebTool(tool('x', 'cobweb'))).toBe(false)
})
