import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const passes = (fault: string, appEnv: string) =>
  spawnSync(process.execPath, [
    '--input-type=module',
    '-e',
    `const { armFaults, faultPoint } = await import('${import.meta.resolve('./fault-point.ts')}')
     armFaults('${fault}', '${appEnv}')
     for (let i = 1; i <= 3; i += 1) { faultPoint('mid_stream'); process.stdout.write(String(i)) }`,
  ])

test('kills the process the nth time it passes the armed point', () => {
  const second = passes('mid_stream:2', 'test')
  expect(second.stdout.toString()).toBe('1')
  expect(second.signal).toBe('SIGKILL')
  expect(passes('after_commit:1', 'test').stdout.toString()).toBe('123')
})

test('is refused in production', () => {
  expect(passes('mid_stream:1', 'production').status).toBe(1)
})
