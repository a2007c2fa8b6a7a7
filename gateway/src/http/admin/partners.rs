//! `/admin/partners…`, `/admin/programs`: from where a partner's servers may call, which keys its traffic may use, and the card
//! programs as this side knows them. A partner's operators see their own partner only.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::config::Program;
use crate::domain::operator::marker::{ManagePartners, ViewPartners};
use crate::domain::partner::{Network, Networks, Partner, PartnerId, PartnerSettings, SealingRules};
use crate::domain::rule::{NOT_TEXT, Rule};
use crate::error::Error;
use crate::flows::partners;
use crate::flows::partners::settings::change;
use crate::http::answer::send_json;
use crate::http::body::Fields;
use crate::http::doc::shape::{boolean, integer, list as list_of, required, text};
use crate::http::doc::{Doc, Tag};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::store::partners as rows;

const NOT_A_LIST: Rule = Rule {
    code: "NOT_A_LIST",
    message: "Must be a list.",
};
const NOT_A_FLAG: Rule = Rule {
    code: "NOT_A_BOOLEAN",
    message: "Must be true or false.",
};

/// A partner as operators are shown it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartnerView {
    id: i64,
    name: String,
    settings: SettingsView,
    /// Its card programs.
    programs: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingsView {
    /// From where its servers may call, in CIDR notation; an empty list restricts nothing.
    networks: Vec<String>,
    /// Whether payloads wrapped with RSA-OAEP (SHA-1) are taken, where the program takes them too.
    rsa_oaep_sha1: bool,
    /// Fewest bits of an RSA key in `Public-Key`.
    minimum_rsa_bits: u16,
    /// Whether an EC P-256 key in `Public-Key` is taken.
    ec_keys: bool,
}

impl PartnerView {
    fn of(partner: &Partner, programs: &[Program]) -> Self {
        let own = programs.iter().filter(|program| program.partner == partner.name);
        let sealing = partner.settings.sealing;
        Self {
            id: partner.id.0,
            name: partner.name.to_string(),
            settings: SettingsView {
                networks: partner
                    .settings
                    .networks
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                rsa_oaep_sha1: sealing.rsa_oaep_sha1,
                minimum_rsa_bits: sealing.minimum_rsa_bits,
                ec_keys: sealing.ec_keys,
            },
            programs: own.map(|program| program.name.to_string()).collect(),
        }
    }
}

/// `GET /admin/partners` → 200.
pub(super) async fn list(call: OperatorCall<ViewPartners>) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let found = rows::list(&mut read, &call.operator().scope, page.after, page.rows()).await?;
    let programs = &services.config.programs;
    let shown = |partner: Partner| Ok(PartnerView::of(&partner, programs));
    send_json(
        StatusCode::OK,
        &page.of_rows(found, |partner| partner.id.0, shown)?,
    )
}

/// `GET /admin/partners/{partnerId}` → 200.
pub(super) async fn get(call: OperatorCall<ViewPartners>) -> Result<HttpResponse, Error> {
    let id = PartnerId(call.number("partnerId")?);
    let partner = partners::find(call.services(), &call.operator().scope, id).await?;
    send_json(
        StatusCode::OK,
        &PartnerView::of(&partner, &call.services().config.programs),
    )
}

/// `PUT /admin/partners/{partnerId}/settings`: `{networks, rsaOaepSha1, minimumRsaBits, ecKeys}` → 200.
pub(super) async fn put_settings(mut call: OperatorCall<ManagePartners>) -> Result<HttpResponse, Error> {
    let id = PartnerId(call.number("partnerId")?);
    let partner = partners::find(call.services(), &call.operator().scope, id).await?;
    let (fields, _) = call.fields().await?;
    let settings = settings(fields)?;
    let services = call.services();
    let changed = change(
        services,
        partner,
        settings,
        &call.stamp().named("CHANGE_PARTNER_SETTINGS"),
    )
    .await?;
    send_json(
        StatusCode::OK,
        &PartnerView::of(&changed, &services.config.programs),
    )
}

fn settings(mut fields: Fields) -> Result<PartnerSettings, Error> {
    let networks = fields.required("networks", networks);
    let rsa_oaep_sha1 = fields.required("rsaOaepSha1", flag);
    let minimum_rsa_bits = fields.integer("minimumRsaBits", SealingRules::rsa_bits);
    let ec_keys = fields.required("ecKeys", flag);
    fields.finish(|| {
        Some(PartnerSettings {
            networks: networks?,
            sealing: SealingRules {
                rsa_oaep_sha1: rsa_oaep_sha1?,
                minimum_rsa_bits: minimum_rsa_bits?,
                ec_keys: ec_keys?,
            },
        })
    })
}

fn networks(value: Value) -> Result<Networks, Rule> {
    let Value::Array(items) = value else {
        return Err(NOT_A_LIST);
    };
    let network = |item: &Value| Network::parse(item.as_str().ok_or(NOT_TEXT)?);
    Networks::new(items.iter().map(network).collect::<Result<_, _>>()?)
}

fn flag(value: Value) -> Result<bool, Rule> {
    value.as_bool().ok_or(NOT_A_FLAG)
}

/// A card program, as this side knows it. BIN ranges, proofs and budgets are the vault's.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProgramView<'a> {
    name: &'a str,
    partner: &'a str,
    currency: &'static str,
    /// Where the partner's server is told of what happens in this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_url: Option<&'a str>,
    digital_first: bool,
    automatic_balance: bool,
    rsa_oaep_sha1: bool,
}

#[derive(Serialize, ToSchema)]
struct ProgramsView<'a> {
    items: Vec<ProgramView<'a>>,
}

/// `GET /admin/programs` → 200, all of them: they come from the configuration.
pub(super) async fn programs(call: OperatorCall<ViewPartners>) -> Result<HttpResponse, Error> {
    let programs = call.services().config.programs.iter();
    let seen = programs.filter(|program| call.operator().scope.sees(&program.partner));
    let items = seen.map(|program| ProgramView {
        name: program.name.as_str(),
        partner: program.partner.as_str(),
        currency: program.currency.code(),
        remote_url: program.remote_url.as_ref().map(|url| url.as_str()),
        digital_first: program.digital_first,
        automatic_balance: program.automatic_balance,
        rsa_oaep_sha1: program.rsa_oaep_sha1,
    });
    let items = items.collect();
    send_json(StatusCode::OK, &ProgramsView { items })
}

fn example() -> Value {
    json!({
        "id": 1001, "name": "acme", "programs": ["acme-eur"],
        "settings": { "networks": ["203.0.113.0/24"], "rsaOaepSha1": false, "minimumRsaBits": 3072, "ecKeys": true }
    })
}

/// Of `GET /admin/partners`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Partners, "List partners")
        .says("A partner's operators see their own partner.")
        .answers_page::<PartnerView>("A page of partners.", example())
}

/// Of `GET /admin/partners/{partnerId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::Partners, "Get a partner")
        .says("Its settings, and the names of its card programs.")
        .answers::<PartnerView>(200, "The partner.", example())
}

/// Of `PUT /admin/partners/{partnerId}/settings`.
pub(super) fn put_settings_doc() -> Doc {
    let network =
        text(1, 64, "203.0.113.0/24").saying("An address, or a network in CIDR notation without host bits.");
    Doc::new(Tag::Partners, "Change a partner's settings")
        .says(
            "`networks`: from where its servers may call; an empty list restricts nothing. The keys and algorithms of its \
             traffic can be narrowed below what the contract allows, not widened. In force in every process within a second.",
        )
        .body([
            required("networks", list_of(network, 0, 100)),
            required("rsaOaepSha1", boolean(false)),
            required("minimumRsaBits", integer(2048, 8192, 3072)),
            required("ecKeys", boolean(true)),
        ])
        .answers::<PartnerView>(200, "The partner.", example())
}

/// Of `GET /admin/programs`.
pub(super) fn programs_doc() -> Doc {
    let program = json!({
        "name": "acme-eur", "partner": "acme", "currency": "EUR", "remoteUrl": "https://hooks.example.com/tessera",
        "digitalFirst": true, "automaticBalance": true, "rsaOaepSha1": true
    });
    Doc::new(Tag::Partners, "List card programs")
        .says("As this side knows them. BIN ranges, proofs and budgets are the vault's.")
        .answers::<ProgramsView>(200, "All of them.", json!({ "items": [program] }))
}
