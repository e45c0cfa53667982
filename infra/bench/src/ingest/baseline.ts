import { fork } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuOf, measure } from '../measuring/measure.ts'
import { endWith, firstMessage, temporaryDir } from '../system.ts'
import type { Files } from './sample-files.ts'

/** Milliseconds of CPU for one file. */
export async function startBaseline(stack: AsyncDisposableStack, model: string): Promise<(files: Files) => Promise<number>> {
  const dir = await temporaryDir(stack)
  const child = fork(join(import.meta.dirname, '../baselines/ingest.ts'), { env: { ...process.env, MODEL_URL: model } })
  endWith(stack, child)
  await firstMessage(child)
  return async (files) => {
    const names: string[] = []
    for (const [name, bytes] of files) {
      const path = join(dir, name.replaceAll('/', '_'))
      await writeFile(path, bytes)
      names.push(path)
    }
    const cost = await measure([{ name: 'bare', pid: child.pid ?? 0 }], async () => {
      child.send(names)
      await firstMessage(child)
      return files.size
    })
    return cpuOf(cost)
  }
}
