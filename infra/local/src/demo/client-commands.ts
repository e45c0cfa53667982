import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { type DataDir, dataDir } from '../data-dir/data-dir.ts'
import { readHolder } from '../data-dir/lock.ts'
import { callerDir } from '../paths.ts'
import { counted, type Output } from '../print.ts'
import type { ClientCommand } from '../start-arguments.ts'
import { StartError } from '../start-error.ts'
import { askQuestion } from './ask-question.ts'
import { collectFiles, leftOut } from './collect-files.ts'
import { GatewayClient } from './gateway-client.ts'
import { EXIT } from './run-demo.ts'
import { uploadFiles } from './upload-files.ts'

const Address = z.object({ api: z.string(), root_api_key: z.string() })

/** Runs `ask` or `add` as root, through the public API of the system that uses a data folder. Returns the exit code. */
export async function runClientCommand(command: ClientCommand, output: Output, signal: AbortSignal): Promise<number> {
  const gateway = await gatewayOf(dataDir(command.dataDir), signal)
  if (command.kind === 'ask') {
    const { metadata } = await askQuestion(gateway, command.question, output)
    return metadata.status === 'success' ? 0 : 1
  }
  const { files, skipped } = await collectFiles(command.paths, callerDir())
  output.print(`Documents: reading ${counted(files.length, 'file')} as ${await gateway.whoAmI()} …`)
  if (skipped > 0) output.print(`Documents: ${leftOut(skipped)}`)
  const { failures } = await uploadFiles(gateway, files, { output })
  return failures.length > 0 ? EXIT.fileFailed : 0
}

async function gatewayOf(data: DataDir, signal: AbortSignal): Promise<GatewayClient> {
  if ((await readHolder(data.lock)) === undefined)
    throw new StartError(`YouWorker does not run with ${data.dir}. Start it with npm start, in another terminal.`)
  const text = await readFile(data.endpoints, 'utf8').catch((cause: unknown) => {
    throw new StartError('YouWorker is still starting; try again when it is up.', { cause })
  })
  const { api, root_api_key } = Address.parse(JSON.parse(text))
  return new GatewayClient(api, root_api_key, signal)
}
