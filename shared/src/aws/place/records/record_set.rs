//! Record sets from Route 53's types and into them, field by field.

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types as sdk;

use crate::place::records::{
    AliasTarget, CidrLocation, Coordinates, GeoLocation, GeoProximity, RecordSet, Role,
};

/// A record set as it was listed.
pub(super) fn seen(record: sdk::ResourceRecordSet) -> RecordSet {
    RecordSet {
        name: record.name,
        record_type: record.r#type.as_str().to_owned(),
        identifier: record.set_identifier,
        weight: record.weight,
        failover: record.failover.as_ref().and_then(role),
        region: record.region.map(|region| region.as_str().to_owned()),
        geo_location: record.geo_location.map(|location| GeoLocation {
            continent: location.continent_code,
            country: location.country_code,
            subdivision: location.subdivision_code,
        }),
        geo_proximity: record.geo_proximity_location.map(|location| GeoProximity {
            region: location.aws_region,
            local_zone_group: location.local_zone_group,
            coordinates: location
                .coordinates
                .map(|at| Coordinates { latitude: at.latitude, longitude: at.longitude }),
            bias: location.bias,
        }),
        cidr: record
            .cidr_routing_config
            .map(|cidr| CidrLocation { collection: cidr.collection_id, location: cidr.location_name }),
        multi_value_answer: record.multi_value_answer,
        ttl_seconds: record.ttl,
        values: record.resource_records.into_iter().flatten().map(|record| record.value).collect(),
        alias_target: record.alias_target.map(|target| AliasTarget {
            zone: target.hosted_zone_id,
            dns_name: target.dns_name,
            evaluates_health: target.evaluate_target_health,
        }),
        health_check: record.health_check_id,
        traffic_policy_instance: record.traffic_policy_instance_id,
    }
}

/// A part that nobody knows makes the record one of no policy that can be released.
fn role(failover: &sdk::ResourceRecordSetFailover) -> Option<Role> {
    match failover.as_str() {
        "PRIMARY" => Some(Role::Primary),
        "SECONDARY" => Some(Role::Secondary),
        _ => None,
    }
}

/// A record set to delete or to create.
pub(super) fn sent(record: &RecordSet) -> Result<sdk::ResourceRecordSet, BuildError> {
    let record = record.clone();
    let values: Result<Vec<_>, _> =
        record.values.into_iter().map(|value| sdk::ResourceRecord::builder().value(value).build()).collect();
    let alias_target = record.alias_target.map(|target| {
        sdk::AliasTarget::builder()
            .hosted_zone_id(target.zone)
            .dns_name(target.dns_name)
            .evaluate_target_health(target.evaluates_health)
            .build()
    });
    let cidr = record.cidr.map(|cidr| {
        sdk::CidrRoutingConfig::builder().collection_id(cidr.collection).location_name(cidr.location).build()
    });
    sdk::ResourceRecordSet::builder()
        .name(record.name)
        .r#type(sdk::RrType::from(record.record_type.as_str()))
        .set_set_identifier(record.identifier)
        .set_weight(record.weight)
        .set_failover(record.failover.map(|role| match role {
            Role::Primary => sdk::ResourceRecordSetFailover::Primary,
            Role::Secondary => sdk::ResourceRecordSetFailover::Secondary,
        }))
        .set_region(record.region.map(|region| sdk::ResourceRecordSetRegion::from(region.as_str())))
        .set_geo_location(record.geo_location.map(|location| {
            sdk::GeoLocation::builder()
                .set_continent_code(location.continent)
                .set_country_code(location.country)
                .set_subdivision_code(location.subdivision)
                .build()
        }))
        .set_geo_proximity_location(record.geo_proximity.map(proximity).transpose()?)
        .set_cidr_routing_config(cidr.transpose()?)
        .set_multi_value_answer(record.multi_value_answer)
        .set_ttl(record.ttl_seconds)
        // An alias has no values, not even an empty list of them.
        .set_resource_records(Some(values?).filter(|values| !values.is_empty()))
        .set_alias_target(alias_target.transpose()?)
        .set_health_check_id(record.health_check)
        .set_traffic_policy_instance_id(record.traffic_policy_instance)
        .build()
}

fn proximity(location: GeoProximity) -> Result<sdk::GeoProximityLocation, BuildError> {
    let coordinates = location
        .coordinates
        .map(|at| sdk::Coordinates::builder().latitude(at.latitude).longitude(at.longitude).build());
    Ok(sdk::GeoProximityLocation::builder()
        .set_aws_region(location.region)
        .set_local_zone_group(location.local_zone_group)
        .set_coordinates(coordinates.transpose()?)
        .set_bias(location.bias)
        .build())
}
