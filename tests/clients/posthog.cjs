// PostHog's Node client, as an app uses it. Arguments: the collector's URL, the write key.
const { PostHog } = require('posthog-node')

const [host, writeKey] = process.argv.slice(2)
const client = new PostHog(writeKey, { host, fetchRetryDelay: 500 })
client.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})

const acme = { company: 'acme' }
const run = { event: 'report run', properties: { feature: 'reports', value: 2.5 } }
client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { name: 'Acme', plan: 'pro', employees: 30 } })
client.capture({ ...run, distinctId: 'ada', groups: acme })
client.capture({ ...run, distinctId: 'ada' })
client.capture({ ...run, distinctId: 'bob', groups: { company: 'globex' } })
client.capture({ ...run, distinctId: 'nobody' })
client.identify({ distinctId: 'ada', properties: { email: 'ada@example.com' } })
client.shutdown(60_000)
