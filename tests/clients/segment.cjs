// Segment's Node client, as an app uses it. Arguments: the collector's URL, the write key.
const { Analytics } = require('@segment/analytics-node')

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ writeKey, host })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})

analytics.group({ userId: 'ada', groupId: 'acme', traits: { name: 'Acme', plan: 'pro', employees: 30 } })
analytics.track({ userId: 'ada', event: 'Report Run', properties: { feature: 'reports', value: 2.5 } })
analytics.page({ userId: 'ada', name: 'Pricing' })
analytics.track({ userId: 'bob', event: 'Report Run', context: { groupId: 'globex' } })
analytics.identify({ userId: 'ada', traits: { email: 'ada@example.com' } })
analytics.track({ userId: 'nobody', event: 'Report Run' })
analytics.closeAndFlush({ timeout: 60_000 })
