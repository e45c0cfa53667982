import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrateDefinition } from '../../schema/migrate.ts'
import { chatAgentSchema } from './schema.ts'

test('sessions from before have one branch with everything in it, and replicas of the version before still write', async () => {
  await using database = await testDatabase({ template: 'database-empty', prepare: async () => {} })
  const migrate = (upTo: string) =>
    migrateDefinition(
      {
        ...chatAgentSchema,
        migrations: Object.fromEntries(Object.entries(chatAgentSchema.migrations).filter(([name]) => name <= upTo)),
      },
      { adminUrl: database.adminUrl, password: testPassword, logger: silentLogger() },
    )
  await migrate('0009')
  const client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  const addTurn = async (turn: number) => {
    await client.query(
      `insert into chat_agent.runs (id, space_id, user_id, sid, session_id, grant_id, turn, enable_tools, disable_web)
        select gen_random_uuid(), id, id, id, id, id, $1, false, false from chat_agent.sessions`,
      [turn],
    )
    await client.query(
      `insert into chat_agent.messages (id, space_id, session_id, run_id, turn, role, content)
        select gen_random_uuid(), space_id, session_id, id, turn, 'user', 'x' from chat_agent.runs where turn = $1`,
      [turn],
    )
  }
  try {
    await client.query(
      `insert into chat_agent.sessions (id, space_id, user_id, external_id, enable_tools, tools_pinned, turn)
        select id, id, id, id, false, false, 1 from (select gen_random_uuid() as id from generate_series(1, 2)) as space`,
    )
    await addTurn(1)
    await migrate('9999')
    await addTurn(2)
    const sessions = await client.query('select branch, branch_id from chat_agent.sessions')
    expect(sessions.rows).toEqual([
      { branch: null, branch_id: null },
      { branch: null, branch_id: null },
    ])
    for (const table of ['runs', 'messages']) {
      const { rows } = await client.query(
        `select turn, branch, count(*)::int as n from chat_agent.${table} group by 1, 2 order by 1`,
      )
      expect(rows).toEqual([
        { turn: 1, branch: 0, n: 2 },
        { turn: 2, branch: 0, n: 2 },
      ])
    }
  } finally {
    await client.end()
  }
})
