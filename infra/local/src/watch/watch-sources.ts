import { type FSWatcher, globSync, watch } from 'node:fs'
import { join } from 'node:path'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { ROOT } from '../paths.ts'
import type { Print } from '../print.ts'
import type { RunningSystem } from '../supervisor/bring-up.ts'

/** An editor writes a file more than once, and a checkout many files. In ms. */
const QUIET_MS = 300
const SOURCES = ['services/*/src', 'packages/*/src', 'infra/offline-model/src']

/** For developers: restarts a service whose source has changed, and all of them when a package has. */
export function watchSources({ processes, replicas }: RunningSystem, print: Print, signal: AbortSignal): Disposable {
  const changed = new Set<string>()
  const restart = async () => {
    const names = new Set(processes.map(({ spec }) => spec.name.replace(/\.\d+$/, '')))
    const wanted = [...names].filter((name) => ownersOf(name).some((owner) => changed.has(owner)))
    changed.clear()
    for (const name of wanted) {
      print(`${name}: its source has changed`)
      await replicas.restart(name, { say: print, signal }).catch((error: unknown) => {
        if (!signal.aborted) print(error instanceof Error ? error.message : String(error))
      })
    }
  }
  let last = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  const notice = (owner: string, file: string | null) => {
    if (file?.endsWith('.ts') !== true || file.endsWith('.test.ts')) return
    changed.add(owner)
    clearTimeout(timer)
    timer = setTimeout(() => void (last = last.then(restart)), QUIET_MS)
  }
  const watchers = globSync(SOURCES, { cwd: ROOT }).map((folder): FSWatcher => {
    const [group = '', name = ''] = folder.split(/[/\\]/)
    const owner = group === 'packages' ? ANY_PACKAGE : name
    return watch(join(ROOT, folder), { recursive: true }, (_, file) => notice(owner, file))
  })
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

const ANY_PACKAGE = 'packages'

/** Whose sources a process runs. With --single-process it runs those of all services. */
function ownersOf(name: string): readonly string[] {
  if (name === 'youworker') return [...SERVICES, ANY_PACKAGE]
  return name === 'postgres' || name === 'nats' ? [] : [name, ANY_PACKAGE]
}
