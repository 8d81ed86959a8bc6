"""The labels of the codes in read models and events."""

from collections.abc import Mapping
from typing import Any

from billing.web.kit.i18n import N_, gettext

COMMAND_LINE = "command line"  # as envelopes carry it
CLASSES = {
    "local": N_("Local"),
    "national": N_("National"),
    "international": N_("International"),
    "internal": N_("Internal"),
    "special": N_("Special"),
}
RESULTS = {
    "answered": N_("Answered"),
    "no_answer": N_("No answer"),
    "busy": N_("Busy"),
    "failed": N_("Failed"),
    "cancelled": N_("Cancelled"),
}
STATUSES = {
    "rated": N_("Rated"),
    "suspended": N_("Suspended"),
    "rerated": N_("Re-rated"),
    "voided": N_("Voided"),
    "conflict": N_("In conflict"),
    "charged": N_("Rated or re-rated"),
}
MATCHES = {"begins": N_("Begins with it"), "ends": N_("Ends with it")}
WEEKDAYS = {
    "1": N_("Monday"),
    "2": N_("Tuesday"),
    "3": N_("Wednesday"),
    "4": N_("Thursday"),
    "5": N_("Friday"),
    "6": N_("Saturday"),
    "7": N_("Sunday"),
}
REASONS = {
    "bad_time": N_("Unreadable time"),
    "bad_duration": N_("Impossible duration"),
    "no_number": N_("No number"),
    "no_account": N_("No account"),
    "no_rate": N_("No rate"),
    "no_rate_group": N_("No rate group"),
    "bad_rate": N_("Rate with errors"),
    "unreadable": N_("Unreadable record"),
    "unfinished": N_("Call not finished"),
}
# Reasons of voided records.
VOIDED = {
    "cascaded": N_("Charged by the record of another device"),
    "merged": N_("Second half of a call"),
    "written_off": N_("Written off"),
}
PAIR_STATES = {"joined": N_("Charged once"), "parted": N_("Separated")}
DIRECTIONS = {
    "outbound": N_("Outbound"),
    "inbound": N_("Inbound"),
    "internal": N_("Between extensions"),
}
PREFIX_OUTCOMES = {
    "short_code": N_("Not tried: it is a short number"),
    "other": N_("The number does not begin with it"),
    "too_short": N_("Too few digits would be left"),
    "too_long": N_("Too many digits would be left"),
    "implausible": N_("The remainder is not a plausible number"),
    "applied": N_("Applied"),
    "after": N_("Not tried: an earlier one applied"),
}
REMEDIES = {
    "no_rate": N_("Add a rate for these numbers to the company's rate group."),
    "no_rate_group": N_("Assign a rate group to the company."),
    "bad_rate": N_("Correct the rate of these numbers."),
    "no_account": N_("Enter whose calls the tenant of this device makes."),
    "no_number": N_("The device reported no number. Check its records."),
    "bad_time": N_("The device reported no readable time. Check its records."),
    "bad_duration": N_("The device reported an impossible duration. Check its records."),
    "unreadable": N_("Choose the format that the device sends."),
    "unfinished": N_("The other half of the call has not arrived yet."),
}
CORRECTIONS = {
    "recycle": N_("Suspended calls re-rated"),
    "rerate": N_("Re-rating"),
    "what_if": N_("What if"),
    "write_off": N_("Suspended calls written off"),
}
OUTDATED = {  # why a preview was made again
    "settings": N_("Prices or settings changed after the preview."),
    "months": N_("A month of this period was archived or attached after the preview."),
    "calls": N_("Calls of this selection changed after the preview."),
}
CORRECTION_STATES = {
    "waiting": N_("Waiting"),
    "running": N_("Running"),
    "ready": N_("Ready to apply"),
    "done": N_("Done"),
    "failed": N_("Failed"),
    "cancelled": N_("Stopped"),
}
ACCOUNT_STATES = {"open": N_("Open"), "frozen": N_("Frozen"), "closed": N_("Closed")}
DEVICE_STATES = {"enabled": N_("Enabled"), "disabled": N_("Disabled")}
PAYMENTS = {"prepaid": N_("Prepaid"), "postpaid": N_("Postpaid")}
ROLES = {
    "administrator": N_("Administrator"),
    "operator": N_("Operator"),
    "auditor": N_("Auditor"),
}
OBJECTS = {
    "company": N_("Company"),
    "user": N_("User account"),
    "gateway": N_("Gateway account"),
    "device": N_("Device"),
    "rate-group": N_("Rate group"),
    "number-plan": N_("Number plan"),
    "administrator": N_("Administrator"),
    "correction": N_("Correction"),
    "books": N_("Books"),
    "keeping": N_("Call keeping"),
}
SIGN_INS = {
    "signed_in": N_("Signed in"),
    "half": N_("Password correct, code requested"),
    "refused": N_("Refused"),
    "signed_out": N_("Signed out"),
    "ended": N_("Session ended"),
    "expired": N_("Session expired"),
}
# Reasons and ways.
SIGN_IN_REASONS = {
    "name": N_("Nobody has this name"),
    "disabled_name": N_("This administrator is disabled"),
    "password": N_("Wrong password"),
    "code": N_("Wrong code"),
    "used_code": N_("Code used before"),
    "recovery_code": N_("Wrong recovery code"),
    "token": N_("API token unknown, expired or revoked"),
    "throttled": N_("Too many attempts"),
    "by_code": N_("With a code"),
    "by_recovery_code": N_("With a recovery code"),
    "by_hand": N_("Ended on a page"),
    "new_password": N_("A new password"),
    "disabled": N_("The administrator was disabled"),
    "reset": N_("Two-factor was reset"),
}
SCOPES = {
    "calls": N_("Read calls and statistics"),
    "accounts": N_("Read accounts, balances and recharges"),
    "recharge": N_("Recharge accounts"),
    "metrics": N_("Read the metrics"),
}
TOKEN_STATES = {
    "open": N_("Active"),
    "expired": N_("Expired"),
    "revoked": N_("Revoked"),
}
HISTORY_KINDS = {
    "money": N_("Money"),
    "calls": N_("Calls"),
    "state": N_("State and settings"),
}
MOVEMENTS = {
    "recharge": N_("Recharge"),
    "reversal": N_("Reversal"),
    "adjustment": N_("Adjustment"),
    "rounding": N_("Rounding"),
}
ACCOUNT_KINDS = {
    "company": N_("Company"),
    "user": N_("User account"),
    "gateway": N_("Gateway account"),
}
# Every event; a test checks that none is missing, so that the log can describe everything.
EVENTS = {
    "ExtensionsRemoved": N_("Extensions removed"),
    "ExtensionsAssigned": N_("Extensions assigned"),
    "DeviceEnabled": N_("Device enabled"),
    "DeviceDisabled": N_("Device disabled"),
    "DeviceChanged": N_("Device edited"),
    "CascadeSet": N_("Cascade set"),
    "AccountAdjusted": N_("Balance adjusted"),
    "AccountClosed": N_("Account closed"),
    "AccountFrozen": N_("Account frozen"),
    "AccountFrozenByPolicy": N_("Account frozen automatically"),
    "AccountRecharged": N_("Account recharged"),
    "AccountUnfrozen": N_("Account unfrozen"),
    "AccountUnfrozenByPolicy": N_("Account unfrozen automatically"),
    "AdministratorAdded": N_("Administrator added"),
    "AdministratorChanged": N_("Administrator edited"),
    "AdministratorDisabled": N_("Administrator disabled"),
    "AdministratorEnabled": N_("Administrator enabled"),
    "AdministratorLimited": N_("Limited to companies"),
    "AdministratorPasswordChanged": N_("Own password changed"),
    "AdministratorPasswordReset": N_("Password reset"),
    "ApiTokenMade": N_("API token created"),
    "ApiTokenRevoked": N_("API token revoked"),
    "BackupMade": N_("A backup was made"),
    "BackupRemoved": N_("A backup was removed"),
    "CallLinked": N_("Another device reported the same call"),
    "CallParted": N_("The pair with another device's call was separated"),
    "CallRated": N_("The call was rated"),
    "CallReinstated": N_("The call is charged again"),
    "CallRerated": N_("The call was re-rated"),
    "CallsRestored": N_("Calls were restored from a backup"),
    "CallSuspended": N_("The call was suspended"),
    "CallVoided": N_("The call was voided"),
    "CompanyChanged": N_("Company changed"),
    "CompanyOpened": N_("Company opened"),
    "ConflictKept": N_("Another record arrived with the same key"),
    "CorrectionApplied": N_("Applied"),
    "CorrectionEnded": N_("Calls were re-rated or written off"),
    "CorrectionRequested": N_("Requested"),
    "CorrectionResumed": N_("Resumed"),
    "CorrectionStopped": N_("Stopped"),
    "DeckImportUndone": N_("Deck import undone"),
    "DeckImported": N_("Deck imported"),
    "DeviceRegistered": N_("Device registered"),
    "ExtensionAssigned": N_("Extension assigned"),
    "GatewayAccountOpened": N_("Gateway account opened"),
    "KeepingSet": N_("The keeping times were set"),
    "LimitsSet": N_("Limits set"),
    "LowBalanceOver": N_("Balance no longer low"),
    "LowBalanceWarned": N_("Low-balance warning sent"),
    "MonthArchived": N_("A month of calls was archived"),
    "MonthAttached": N_("An archived month was attached"),
    "MonthClosed": N_("Month closed"),
    "MonthDetached": N_("An archived month was detached"),
    "NumberPlanChanged": N_("Number plan changed"),
    "NumbersShortened": N_("Called numbers were shortened"),
    "NumberPlanReplaced": N_("Number plan replaced"),
    "PairParted": N_("Pair of calls separated"),
    "PinGiven": N_("PIN changed"),
    "RateGroupBound": N_("Rate group assigned"),
    "RateGroupCreated": N_("Rate group created"),
    "RateGroupDeleted": N_("Rate group deleted"),
    "RateGroupRenamed": N_("Rate group renamed"),
    "RatesChanged": N_("Rates changed"),
    "RatesWithdrawn": N_("Rates withdrawn"),
    "RechargeReversed": N_("Recharge reversed"),
    "RecoveryCodeUsed": N_("Recovery code used"),
    "RecoveryCodesMade": N_("Recovery codes regenerated"),
    "RoutePrefixesSet": N_("Route prefixes set"),
    "ShorteningSet": N_("The shortening of called numbers was set"),
    "StatementClosed": N_("Statement closed"),
    "StatementRounded": N_("Statement rounded"),
    "StatementsCompleted": N_("All statements of a month closed"),
    "SubAccountRenamed": N_("Account renamed"),
    "TenantNamed": N_("Tenant named"),
    "TrunkAssigned": N_("Trunk assigned"),
    "TwoFactorDemanded": N_("Two-factor requirement changed"),
    "TwoFactorDisabled": N_("Two-factor switched off"),
    "TwoFactorEnabled": N_("Two-factor switched on"),
    "TwoFactorReset": N_("Two-factor reset"),
    "UserAccountOpened": N_("User account opened"),
}
AREA_TYPES = {
    "landline": N_("Landline"),
    "mobile": N_("Mobile"),
    "toll_free": N_("Toll-free"),
    "shared_cost": N_("Shared cost"),
    "premium": N_("Premium"),
    "special": N_("Special number"),
    "emergency": N_("Emergency"),
    "satellite": N_("Satellite"),
}
FLAGS = {
    "forbidden": N_("Call to a forbidden destination"),
    "over_24h": N_("Longer than a day"),
    "frozen_account": N_("The account was frozen"),
    "closed_account": N_("The account was closed"),
    "b_leg": N_("Second leg of a conversation"),
    "ambiguous_time": N_("Local time that occurs twice"),
    "encoding": N_("Not in UTF-8"),
    "shortened": N_("Number shortened"),
    "repaired": N_("Repaired when read"),
    "cut": N_("Too long: only its beginning is kept"),
}

EXPORT_STATES = {
    "running": N_("In preparation"),
    "done": N_("Ready"),
    "failed": N_("Failed, try again"),
}
EXPORT_PROBLEMS = {
    "full": N_("There is not enough space on the disk. Inform your operator."),
    "slow": N_("This takes too long. Choose a shorter period or a narrower filter, or CSV."),
    "away": N_("The database does not answer. Try again in a moment."),
    "fault": N_("The error was recorded. Try again, or choose another format."),
}
ROUNDINGS = {
    "half_up": N_("half up, commercial"),
    "half_even": N_("half to even, banker's"),
    "up": N_("up"),
    "down": N_("down"),
}
BAND_POLICIES = {
    "start": N_("The band at the start of the call applies to all of it"),
    "split": N_("Each part of the call costs what its band charges"),
}
RATE_CLASSES = CLASSES | {"inbound": N_("Inbound")}
# The names that prices of classes have from the beginning; people may give others.
RATE_NAMES = RATE_CLASSES | {"inter": CLASSES["internal"]}


def yes_or_no(*, yes: bool) -> str:
    """Return the word for yes or no."""
    return gettext("yes") if yes else gettext("no")


def enabled(*, on: bool) -> str:
    """Return the word for enabled or disabled devices and administrators."""
    return word(DEVICE_STATES, "enabled" if on else "disabled")


def actor(code: str, names: Mapping[str, str]) -> str:
    """Return the name of the actor of an envelope; its id if nobody of `names` has it."""
    kind, _, own_id = code.partition(":")
    return names.get(code) or (gettext("The system") if kind == "system" else own_id or code)


def address(text: str) -> str:
    """Return where an event came from: an IP address, or the command line in words."""
    return gettext("Command line") if text == COMMAND_LINE else text


TASKS = {
    "archive": N_("Archive the month"),
    "attach": N_("Attach the month"),
    "detach": N_("Detach the month"),
    "shorten": N_("Shorten numbers"),
    "full": N_("Everything"),
    "scheduled": N_("Everything, scheduled"),
    "calls": N_("Calls of a period"),
    "restore": N_("Restore the calls"),
    "remove": N_("Remove the backup"),
}
KEEPING = {"archived": N_("Archived"), "attached": N_("Attached")}


def refusal(task: Any) -> str:
    """Return why a task was refused, in the reader's language."""
    return gettext(task.message, **task.values)


def word(words: Mapping[str, str], code: str) -> str:
    """Return the label of a code in the reader's language; the code itself without one."""
    return gettext(words[code]) if code in words else code


def choices(words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return codes with their labels, for a select field."""
    return [(code, gettext(text)) for code, text in words.items()]
