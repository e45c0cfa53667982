import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROUTES } from '@youworker/gateway/routes'
import { SOCKET_PATHS } from '@youworker/gateway/socket-server'
import { expect, test } from 'vitest'
import { ROOT } from './support/root.ts'

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: ROOT })]
const TEST_FILES = globSync('{packages,services,infra}/*/src/**/*.test.ts', { cwd: ROOT })
const SOURCE_NAMES = new Set(
  globSync('{packages,services,infra}/*/**/*.{ts,sql}', { cwd: ROOT, exclude: ['**/node_modules'] }).map(baseName),
)

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

interface Mention {
  readonly page: string
  readonly text: string
}

/** All captures of a pattern in all pages. */
function mentions(pattern: RegExp): Mention[] {
  return PAGES.flatMap((page) =>
    Array.from(readFileSync(join(ROOT, page), 'utf8').matchAll(pattern), ([, text = '']) => ({ page, text })),
  )
}

/** Whether a path exists. `<owner>` stands for any name, and a folder may end with a slash. */
const exists = (path: string): boolean => globSync(path.replaceAll(/<\w+>/g, '*').replace(/\/$/, ''), { cwd: ROOT }).length > 0

test('every path in backticks exists', () => {
  const paths = mentions(/`((?:services|packages|infra|docs)\/[\w./*<>{},-]+)`/g)
  expect(paths.length).toBeGreaterThan(50)
  expect(paths.filter(({ text }) => !exists(text))).toEqual([])
})

test('every source file named without its folder exists', () => {
  const names = mentions(/`([\w-]+(?:\.\w+)*\.(?:ts|sql))`/g)
  expect(names.length).toBeGreaterThan(0)
  expect(names.filter(({ text }) => !SOURCE_NAMES.has(text))).toEqual([])
})

test('every link to a file resolves', () => {
  const links = mentions(/\]\(((?!https?:)[^)#]+)/g)
  expect(links.length).toBeGreaterThan(5)
  expect(links.filter(({ page, text }) => !exists(join(dirname(page), text)))).toEqual([])
})

test('every filter of npm test finds a test, and every npm script exists', () => {
  const filters = mentions(/npm test -- ([\w./ -]+)/g).flatMap(({ page, text }) =>
    text
      .trim()
      .split(/\s+/)
      .map((filter) => ({ page, text: filter })),
  )
  expect(filters.length).toBeGreaterThan(20)
  expect(filters.filter(({ text }) => text !== 'NAME' && !TEST_FILES.some((file) => file.includes(text)))).toEqual([])
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  expect(mentions(/npm run (?:--silent )?([\w:]*\w)/g).filter(({ text }) => !(text in scripts))).toEqual([])
})

test('every published route is served or listed as not here yet, and none is both', () => {
  const read = (page: string) => readFileSync(join(ROOT, 'docs', page), 'utf8')
  const named = (route: string) => route.replaceAll(/\{\w+\}/g, '{}')
  const published = read('published-routes.txt')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(named)
  const table = read('features.md').split('## Not here yet')[1]?.split('\n## ')[0] ?? ''
  const missing = Array.from(table.matchAll(/`([A-Z]+(?:, [A-Z]+)*) (\/[^`]+)`/g), ([, methods = '', path = '']) =>
    methods.split(', ').map((method) => named(`${method} ${path}`)),
  ).flat()
  const served = [
    ...ROUTES.flatMap(({ method, path, aliases }) => [path, ...aliases].map((one) => named(`${method} ${one}`))),
    ...SOCKET_PATHS.map((path) => named(`WS ${path}`)),
  ]
  expect(published.length).toBeGreaterThan(150)
  expect(new Set(published).size).toBe(published.length)
  expect(missing.toSorted()).toEqual(published.filter((route) => !served.includes(route)).toSorted())
})
