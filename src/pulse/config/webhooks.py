"""Which billing and support services may send webhooks, and where they name the account."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from pulse.config.fields import EnvName, Section, Text
from pulse.config.mistakes import refuse
from pulse.config.secret import Secret, find_secret

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,64}$")]
BodyPath = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
"""Where in a webhook's body a value is found: the names on the way to it, or a place in an array.
"""
BodyPaths = Annotated[tuple[BodyPath, ...], Field(strict=False, max_length=20)]


class Webhook(Section):
    """A service that sends webhooks. Without a secret it is not listened to."""

    NAME: ClassVar[str]

    secret_env: EnvName | None = None
    """The environment variable that has the secret by which its webhooks are known."""
    secret_file: Text | None = None
    """Or the file that has it."""
    account: BodyPaths = Field(default=(), validate_default=True)
    """Where the account is found: the first of these paths that leads to a text or a number."""
    source: SourceName
    """What its events say as their source."""

    @field_validator("secret_file")
    @classmethod
    def _one_secret(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None and info.data.get("secret_env") is not None:
            raise refuse("secret_env is set too", suggestion="leave one of them out")
        return file

    @field_validator("account")
    @classmethod
    def _has_a_place(cls, account: Any, info: ValidationInfo) -> Any:
        if not account and (info.data.get("secret_env") or info.data.get("secret_file")):
            raise refuse(
                "where the account is found is missing",
                suggestion="name a field, like issue.fields.customfield_10050",
            )
        return account

    def secret(self) -> Secret | None:
        """The secret, None where the service is not set up. Raises `SecretError` where it is said
        where the secret is, and it is not there.
        """
        setting = f"collector.webhooks.{self.NAME}.secret"
        return find_secret(self.secret_env, self.secret_file, setting=setting)


class StripeWebhook(Webhook):
    """Stripe: payments, cards, subscriptions. The secret is the endpoint's, whsec_…."""

    NAME: ClassVar = "stripe"

    account: BodyPaths = Field(
        default=(
            "data.object.metadata.account_id",
            "data.object.parent.subscription_details.metadata.account_id",
            "data.object.subscription_details.metadata.account_id",
            "data.object.customer",
        ),
        validate_default=True,
    )
    """Where the account is found; an invoice has the metadata of its subscription with it."""
    source: SourceName = "stripe"
    """What its events say as their source."""


class ChargebeeWebhook(Webhook):
    """Chargebee: payments, cards, subscriptions. It does not sign: the secret is `user:password`
    of Basic auth.
    """

    NAME: ClassVar = "chargebee"

    account: BodyPaths = Field(
        default=(
            "content.customer.meta_data.account_id",
            "content.customer.id",
            "content.subscription.customer_id",
            "content.invoice.customer_id",
            "content.transaction.customer_id",
        ),
        validate_default=True,
    )
    """Where the account is found."""
    source: SourceName = "chargebee"
    """What its events say as their source."""


class RecurlyWebhook(Webhook):
    """Recurly: payments and subscriptions, as signed JSON. The secret is the endpoint's."""

    NAME: ClassVar = "recurly"

    account: BodyPaths = Field(
        default=("account_code", "account.code", "account.account_code"), validate_default=True
    )
    """Where the account is found."""
    source: SourceName = "recurly"
    """What its events say as their source."""


class PaddleWebhook(Webhook):
    """Paddle Billing: payments, cards, subscriptions. The secret is the destination's, pdl_ntf…."""

    NAME: ClassVar = "paddle"

    account: BodyPaths = Field(
        default=("data.custom_data.account_id", "data.customer_id"), validate_default=True
    )
    """Where the account is found."""
    source: SourceName = "paddle"
    """What its events say as their source."""


class ZendeskWebhook(Webhook):
    """Zendesk: tickets and the answers to its survey. The secret is the webhook's."""

    NAME: ClassVar = "zendesk"

    account: BodyPaths = Field(
        default=(
            "detail.organization.external_id",
            "organization.external_id",
            "detail.organization_id",
        ),
        validate_default=True,
    )
    """Where the account is found."""
    source: SourceName = "zendesk"
    """What its events say as their source."""


class JiraWebhook(Webhook):
    """Jira: bugs. The secret is the webhook's; which field names the customer only you know."""

    NAME: ClassVar = "jira"

    source: SourceName = "jira"
    """What its events say as their source."""
    bug_types: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] = ("Bug",)
    """The types of issues that are bugs, by their names."""


class Webhooks(Section):
    """The services that may send webhooks, each to `/v1/webhooks/` and its name."""

    stripe: StripeWebhook = StripeWebhook()
    """Payments, cards, subscriptions."""
    chargebee: ChargebeeWebhook = ChargebeeWebhook()
    """Payments, cards, subscriptions."""
    recurly: RecurlyWebhook = RecurlyWebhook()
    """Payments and subscriptions."""
    paddle: PaddleWebhook = PaddleWebhook()
    """Payments, cards, subscriptions."""
    zendesk: ZendeskWebhook = ZendeskWebhook()
    """Tickets and the answers to its survey."""
    jira: JiraWebhook = JiraWebhook()
    """Bugs."""

    def all(self) -> tuple[Webhook, ...]:
        """Every service, set up or not."""
        return (self.stripe, self.chargebee, self.recurly, self.paddle, self.zendesk, self.jira)
