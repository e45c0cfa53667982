import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { buildOpenApi } from '@youworker/gateway/openapi'
import { ROUTES } from '@youworker/gateway/routes'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { renderComposeSettings } from './generate/compose-settings.ts'
import { type ProcessSettings, renderEnvExample } from './generate/env-example.ts'
import { renderEvents } from './generate/events-page.ts'
import { renderFileTypes } from './generate/files-page.ts'
import { readComposeFile } from './support/compose.ts'
import { ROOT } from './support/root.ts'

// `npm run contracts:accept` writes these generated files.
test('the committed docs/openapi.json is generated from the routes', async () => {
  await expect(`${JSON.stringify(buildOpenApi(ROUTES), null, 2)}\n`).toMatchFileSnapshot(join(ROOT, 'docs/openapi.json'))
})

test('the committed docs/events.md is generated from the contracts', async () => {
  await expect(renderEvents()).toMatchFileSnapshot(join(ROOT, 'docs/events.md'))
})

test('the committed docs/file-types.md is generated from the contracts', async () => {
  await expect(renderFileTypes()).toMatchFileSnapshot(join(ROOT, 'docs/file-types.md'))
})

/** Of every process that has settings. */
function readSettings(): Promise<ProcessSettings[]> {
  const folders = [...SERVICES.map((service) => `services/${service}`), 'infra/offline-model']
  const read = folders.map(async (folder): Promise<ProcessSettings> => {
    const { Env } = (await import(join(ROOT, folder, 'src/config.ts'))) as { Env: ProcessSettings['schema'] }
    return { process: folder.replace(/^.*\//, ''), schema: Env }
  })
  return Promise.all(read)
}

test('the committed .env.example is generated from the settings of all processes', async () => {
  await expect(renderEnvExample(await readSettings())).toMatchFileSnapshot(join(ROOT, '.env.example'))
})

test('docker-compose.yml passes every setting that its services know: those that it does not set are generated', async () => {
  const { services } = await readComposeFile('docker-compose.yml')
  const file = 'infra/docker/settings.yml'
  await expect(renderComposeSettings(await readSettings(), services)).toMatchFileSnapshot(join(ROOT, file))
  for (const { process } of await readSettings()) expect(services[process]?.extends).toEqual({ file, service: process })
})

test('the committed nats.conf is generated from the contracts', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'infra/cli/src/main.ts'), 'nats', 'conf'])
  await expect(stdout).toMatchFileSnapshot(join(ROOT, 'infra/nats/nats.conf'))
})

test('a setting without a description, without a group or with two defaults is refused', () => {
  const of = (shape: Record<string, z.ZodType>, process = 'auth'): ProcessSettings => ({ process, schema: z.object(shape) })
  const port = z.string().default('1').describe('A port')
  expect(renderEnvExample([of({ API__PORT: port })])).toContain('# A port\n# API__PORT=1')
  expect(() => renderEnvExample([of({ API__PORT: z.string() })])).toThrow('API__PORT of auth has no description')
  expect(() => renderEnvExample([of({ OTHER: port })])).toThrow('no group in .env.example: OTHER')
  const another = of({ API__PORT: z.string().default('2').describe('A port') }, 'group')
  expect(() => renderEnvExample([of({ API__PORT: port }), another])).toThrow('API__PORT has another default in group')
})
