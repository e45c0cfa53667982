import { expect, test } from 'vitest'
import { DEFAULT_DATA_DIR } from './paths.ts'
import { parseStartArguments, type RunCommand } from './start-arguments.ts'

const run = (...args: string[]): RunCommand => {
  const command = parseStartArguments(args, '/home/me')
  if (command.kind !== 'run') throw new Error(`parsed as ${command.kind}`)
  return command
}

test('no arguments: the demo with the default data folder', () => {
  expect(run()).toMatchObject({
    dataDir: DEFAULT_DATA_DIR,
    paths: [],
    question: undefined,
    once: false,
    demo: true,
    reset: false,
    singleProcess: false,
  })
})

test("paths are resolved against the caller's folder, and options may stand between them", () => {
  const command = run('handbook.pdf', '--once', 'notes/', '--ask', 'How many days?', '--data', '../my data', '/abs/x.md')
  expect(command.paths).toEqual(['/home/me/handbook.pdf', '/home/me/notes', '/abs/x.md'])
  expect(command).toMatchObject({ dataDir: '/home/my data', once: true, question: 'How many days?' })
})

test('--replicas takes SERVICE=COUNT pairs and refuses anything else', () => {
  expect(run('--replicas', 'chat-agent=2, gateway=3').replicas).toMatchObject({ 'chat-agent': 2, gateway: 3, auth: 1 })
  for (const wrong of ['chat-agent', 'chat-agent=0', 'nobody=2', 'auth=99', '']) {
    expect(() => run('--replicas', wrong)).toThrow(/SERVICE=COUNT/)
  }
  expect(() => run('--single-process', '--replicas', 'auth=2')).toThrow(/exclude/)
})

test('status, logs, restart, scale and stop are commands, with a data folder and what they act on', () => {
  expect(parseStartArguments(['status'], '/')).toEqual({ kind: 'status', dataDir: DEFAULT_DATA_DIR, name: undefined })
  expect(parseStartArguments(['restart', 'chat-agent.2', '--data', 'd'], '/x')).toEqual({
    kind: 'restart',
    dataDir: '/x/d',
    name: 'chat-agent.2',
  })
  expect(parseStartArguments(['scale', 'gateway=3', 'auth=2,group=1'], '/')).toEqual({
    kind: 'scale',
    dataDir: DEFAULT_DATA_DIR,
    counts: { gateway: 3, auth: 2, group: 1 },
  })
  for (const wrong of [[], ['group=0'], ['group=17'], ['grup=2']]) {
    expect(() => parseStartArguments(['scale', ...wrong], '/')).toThrow(/scale/)
  }
  expect(() => parseStartArguments(['restart'], '/')).toThrow(/Which one/)
  // A file named like a command can still be given by a path.
  expect(run('./status').paths).toEqual(['/home/me/status'])
})

test('ask takes a question in any number of words, and add takes paths of the caller', () => {
  expect(parseStartArguments(['ask', 'How', 'many days?', '--data', 'd'], '/x')).toEqual({
    kind: 'ask',
    dataDir: '/x/d',
    question: 'How many days?',
  })
  expect(parseStartArguments(['add', 'a.md', '/b'], '/x')).toEqual({
    kind: 'add',
    dataDir: DEFAULT_DATA_DIR,
    paths: ['/x/a.md', '/b'],
  })
  expect(() => parseStartArguments(['ask'], '/')).toThrow(/ask needs a question/)
  expect(() => parseStartArguments(['add'], '/')).toThrow(/What to add/)
})

test('an unknown option is refused with the help text', () => {
  expect(() => run('--onec')).toThrow(/--onec[^]*--once/)
  expect(() => run('--ask', ' ')).toThrow(/needs a question/)
  expect(parseStartArguments(['--help'], '/')).toEqual({ kind: 'help' })
})
