import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { DEFAULT_DATA_DIR } from './paths.ts'
import { recordOf } from './record-of.ts'
import { nearest } from './settings/nearest.ts'
import { StartError } from './start-error.ts'

export interface RunCommand {
  readonly kind: 'run'
  readonly dataDir: string
  readonly paths: readonly string[]
  readonly question: string | undefined
  readonly once: boolean
  readonly demo: boolean
  readonly reset: boolean
  readonly singleProcess: boolean
  readonly watch: boolean
  readonly replicas: Readonly<Record<ServiceName, number>>
}
interface NamedCommand {
  readonly kind: 'status' | 'logs' | 'restart' | 'stop'
  readonly dataDir: string
  readonly name: string | undefined
}
interface ScaleCommand {
  readonly kind: 'scale'
  readonly dataDir: string
  readonly counts: Readonly<Partial<Record<ServiceName, number>>>
}
/** For the supervisor of a system that runs. */
export type ControlCommand = NamedCommand | ScaleCommand
/** For the API of a system that runs. */
export type ClientCommand =
  | { readonly kind: 'ask'; readonly dataDir: string; readonly question: string }
  | { readonly kind: 'add'; readonly dataDir: string; readonly paths: readonly string[] }
export type StartCommand = RunCommand | ControlCommand | ClientCommand | { readonly kind: 'help' }

export const HELP = `npm start -- [FILE or FOLDER …] [options]

  starts YouWorker, reads the files, asks a question about them and stays up (Ctrl+C stops it).

  --ask QUESTION        what to ask
  --once                stop after the answer. Exit code: 0 the answer cites one of the files, 1 the start failed,
                        2 a file failed, 3 the answer cites none of the files
  --no-demo             no question
  --data DIR            where everything is kept (default: .youworker in the project)
  --reset               erase that folder first
  --single-process      all services in one process
  --watch               restart services whose source changes
  --replicas a=2,b=2    more than one of a service: ${SERVICES.join(', ')}

npm start -- ask "QUESTION" | add FILE or FOLDER …  [--data DIR]

  asks the system that runs, or gives it more documents.

npm start -- status | logs [NAME] | restart NAME | scale a=3,b=1 | stop  [--data DIR]

  look at, restart, scale and stop what runs. NAME as in status; without a number it means all of that service.
  restart and scale work while the system serves: a new process is ready before the old one finishes its work and ends.
  A file with the name of a command is given as ./status.

Settings come from the environment or a file .env in the project: DATABASE__ADMIN_URL, NATS__URL and LLM__OLLAMA_BASE_URL
name your own Postgres, NATS and Ollama instead of the built-in ones; LLM__CHAT_MODEL and LLM__EMBED_MODEL the models.`

export const OPTIONS = {
  ask: { type: 'string' },
  once: { type: 'boolean' },
  'no-demo': { type: 'boolean' },
  data: { type: 'string' },
  reset: { type: 'boolean' },
  'single-process': { type: 'boolean' },
  watch: { type: 'boolean' },
  replicas: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Resolves paths against `cwd`. Throws {@link StartError} for invalid arguments. */
export function parseStartArguments(args: readonly string[], cwd: string): StartCommand {
  const { values, positionals } = parse(args)
  if (values.help) return { kind: 'help' }
  const dataDir = values.data === undefined ? DEFAULT_DATA_DIR : resolve(cwd, values.data)
  const [first, ...rest] = positionals
  if (isControl(first)) return control(first, rest, dataDir)
  if (first === 'ask') return { kind: first, dataDir, question: question('ask', rest.join(' ')) }
  if (first === 'add') return { kind: first, dataDir, paths: given(rest).map((path) => resolve(cwd, path)) }
  const singleProcess = values['single-process'] ?? false
  if (singleProcess && values.replicas !== undefined)
    throw new StartError('--single-process and --replicas exclude each other: leave one out.')
  return {
    kind: 'run',
    dataDir,
    paths: positionals.map((path) => resolve(cwd, path)),
    question: values.ask === undefined ? undefined : question('--ask', values.ask),
    once: values.once ?? false,
    demo: !(values['no-demo'] ?? false),
    reset: values.reset ?? false,
    singleProcess,
    watch: values.watch ?? false,
    replicas: { ...recordOf(SERVICES, () => 1), ...parseReplicas('--replicas', values.replicas?.split(',') ?? []) },
  }
}

const CONTROL = ['status', 'logs', 'restart', 'scale', 'stop'] as const
const isControl = (word: string | undefined): word is ControlCommand['kind'] => CONTROL.some((kind) => kind === word)

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (cause) {
    // The sentences after the first are about the syntax of node:util's parseArgs.
    const [what] = String(cause instanceof Error ? cause.message : cause).split('. ')
    const wrong = /'--?([\w-]+)/.exec(what ?? '')?.[1] ?? ''
    const close = wrong in OPTIONS ? undefined : nearest(wrong, Object.keys(OPTIONS))
    const hint = close === undefined ? '' : ` Did you mean --${close}?`
    throw new StartError(`${what}.${hint} All options: npm start -- --help`, { cause })
  }
}

function question(what: string, text: string): string {
  if (text.trim() === '') throw new StartError(`${what} needs a question, e.g. ${what} "How many days of leave do I have?"`)
  return text
}

function given(paths: readonly string[]): readonly string[] {
  if (paths.length === 0) throw new StartError('What to add? E.g. npm start -- add handbook.pdf notes/')
  return paths
}

function control(kind: ControlCommand['kind'], rest: readonly string[], dataDir: string): ControlCommand {
  if (kind === 'scale') {
    if (rest.length === 0) throw new StartError('What to how many? E.g. npm start -- scale chat-agent=3')
    return {
      kind,
      dataDir,
      counts: parseReplicas(
        'scale',
        rest.flatMap((entry) => entry.split(',')),
      ),
    }
  }
  const [name, ...more] = rest
  if (more.length > 0) throw new StartError(`${kind} takes one name at most.`)
  if (kind === 'restart' && name === undefined)
    throw new StartError('Which one? E.g. npm start -- restart chat-agent (status shows the names).')
  return { kind, dataDir, name }
}

function parseReplicas(what: string, entries: readonly string[]): Partial<Record<ServiceName, number>> {
  const replicas: Partial<Record<ServiceName, number>> = {}
  for (const entry of entries) {
    const [, name = '', digits = ''] = /^\s*([a-z-]+)=(\d{1,2})\s*$/.exec(entry) ?? []
    const count = Number(digits)
    if (!isService(name) || count < 1 || count > 16) {
      throw new StartError(`${what}: "${entry}" is not SERVICE=COUNT (1 to 16). Services: ${SERVICES.join(', ')}.`)
    }
    replicas[name] = count
  }
  return replicas
}

const isService = (name: string): name is ServiceName => SERVICES.some((service) => service === name)
