"""What an alert suggests to do, by its reason."""

from pulse.config.fields import Section, Text


class Plays(Section):
    """What an alert suggests to do, by its reason."""

    danger: Text = (
        "Call the account's owner today: ask what changed, using the measures that fell most, "
        "and agree on one next step."
    )
    """For accounts below the line."""
    approaching: Text = (
        "Write to your contact this week: ask whether they still get what they need, "
        "and offer help with what is used less."
    )
    """For accounts on their way to the line."""
    silence: Text = (
        "Find out whether they left, paused or moved the work elsewhere: "
        "call the person who used it most."
    )
    """For accounts that went quiet."""
    usage_drop: Text = (
        "Ask what changed last week: a project that ended, somebody on leave, or something that "
        "does not work for them any more."
    )
    """For accounts that are used far less than they usually are."""
    fleet_falls: Text = (
        "Find out what they have in common before anybody is called: did tracking stop, was there "
        "an outage, is it a holiday?"
    )
    """For many accounts that fall at once."""
    source_stopped: Text = (
        "Find out why nothing is sent: a release, a key that was changed, a blocked address. When "
        "it is known to be no mistake, say `pulse source running`."
    )
    """For a source from which no event comes any more."""
    digest: Text = (
        "Go through the worst first: nobody was alerted of these one by one. The list of accounts "
        "has all of them."
    )
    """For how the fleet stands once a history or a load has ended."""
    champion_gone: Text = (
        "Find out where they went, thank them, and ask who takes over; offer that person a first "
        "hour together."
    )
    """For accounts whose busiest user is not seen any more."""
    feature_abandoned: Text = (
        "Ask how they do now what they did with it: a bug or a rival may have taken it over."
    )
    """For accounts that stopped using a feature that mattered to them."""
    unused_seats: Text = (
        "Offer training for those who have a seat and do not use it, before the renewal is "
        "about fewer seats."
    )
    """For accounts that pay for more than they use."""
    outgrows_seats: Text = "Offer more seats, with what the added people could do."
    """For accounts that use all they pay for."""
    stalled_onboarding: Text = (
        "Write to whoever signed up, name the one next step, and offer to do it with them."
    )
    """For new accounts that got stuck."""
    check_in_overdue: Text = "Call, with one thing about their use that they may not know."
    """For accounts that nobody has spoken with for long."""
    renewal_at_risk: Text = (
        "Bring in the person who decides, agree on what must be better by the renewal, and do it."
    )
    """For accounts in danger whose contract ends soon."""
    ready_to_ask: Text = "Ask for a reference, a review or an introduction."
    """For the healthiest accounts."""
    payment_failed: Text = (
        "Write to their billing contact with the link to pay, before access is cut off."
    )
    """For accounts with a failed payment."""
    card_expiring: Text = "Send the link to a new card; on the last days, call."
    """For accounts whose card ends."""
    subscription_cancelled: Text = (
        "Call within a day: ask for the one reason, say what it would take to stay, and part well."
    )
    """For accounts that have cancelled."""
    support_waiting: Text = "See to it that somebody answers now, and say when it will be solved."
    """For accounts that wait for an answer."""
    bug_open: Text = (
        "Tell them where the bug stands and when to expect what, even if nothing moved."
    )
    """For accounts with a bug that stays open."""
    detractor: Text = (
        "Answer within two days: thank them, ask for the reason, and tell them what comes of it."
    )
    """For accounts that answered a survey badly."""
