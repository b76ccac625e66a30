//! Routes and handlers: they parse, call a use case, and map its answer. Every path is written out whole, since the services of the
//! all-in-one share one `App`.

mod access;
mod activity;
mod archives;
mod batch;
mod children;
mod classic;
mod content;
mod copying;
mod delivery;
mod entries;
mod events;
mod exports;
mod files;
mod internal;
mod links;
mod marks;
mod operations;
mod params;
mod path;
mod preconditions;
mod public;
mod search;
mod shares;
mod text;
mod thumbnails;
mod toll;
mod trash;
mod uploads;
mod usage;
mod versions;
mod view;

use actix_web::{App, web};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// The public routes: `/files*`, `/stats`, `/status` and this service's part of `/api/v1`.
pub fn public_routes(config: &mut ServiceConfig<'_>) {
    config
        .service(
            scope("/api/v1/files")
                .service(batch::change)
                .service(files::show)
                .service(files::change)
                .service(files::remove)
                .service(files::create)
                .service(files::restore)
                .service(files::publish)
                .service(files::unpublish)
                .service(children::list)
                .service(copying::copy)
                .service(versions::list)
                .service(versions::show)
                .service(versions::describe)
                .service(versions::restore)
                .service(versions::remove)
                .service(path::show)
                .service(text::show)
                .service(entries::list)
                .service(thumbnails::show)
                .service(content::show)
                .service(content::describe)
                .service(content::put_child)
                .service(content::put_children)
                .service(content::put_content)
                .service(shares::list)
                .service(shares::give)
                .service(links::list_of_file)
                .service(links::make)
                .service(archives::of_node)
                .service(archives::describe_of_node),
        )
        .service(
            scope("/api/v1/uploads")
                .service(uploads::options)
                .service(uploads::list)
                .service(uploads::create::create)
                .service(uploads::one::show)
                .service(uploads::one::describe)
                .service(uploads::append::append)
                .service(uploads::one::change_method)
                .service(uploads::one::remove),
        )
        // before `/files/{id}`: the server looks a call up by the first pattern that fits its path
        .service(activity::list)
        .service(events::follow)
        .service(operations::list)
        .service(operations::show)
        .service(operations::undo)
        .service(marks::starred)
        .service(marks::recents)
        .service(marks::tagged)
        .service(marks::tags)
        .service(search::find)
        .service(trash::list)
        .service(trash::empty)
        .service(usage::show)
        .service(usage::by_type)
        .service(usage::limits)
        .service(shares::change)
        .service(shares::remove)
        .service(shares::with_me)
        .service(shares::by_me)
        .service(links::list)
        .service(links::change)
        .service(links::remove)
        .service(access::list)
        .service(access::remove)
        .service(archives::of_selection)
        .service(archives::describe_of_selection)
        .service(archives::make)
        .service(exports::show)
        .service(exports::describe)
        .configure(public::routes)
        .configure(classic::routes);
}

/// The routes that other services call, on the internal listener alone. Each wants a service token.
pub fn internal_routes(config: &mut web::ServiceConfig) {
    internal::routes(config);
}

/// This service's part of the OpenAPI document.
pub fn openapi() -> OpenApi {
    let (_, document) = App::new().into_utoipa_app().configure(public_routes).split_for_parts();
    document
}
